//! The medium: layers, kernel and initrd become a hybrid ISO.
