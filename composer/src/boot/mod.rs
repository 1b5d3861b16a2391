//! Booting an image in QEMU, and judging the boot.
