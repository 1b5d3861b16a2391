//! Booting an image in QEMU, and judging the boot.
//!
//! The machine runs in a worker, with the tools tree's QEMU and firmware and, for a check, a network namespace of its
//! own: ports are probed from in there, so no host port is used and checks can run side by side. The ISO is booted as it
//! is, through its own loader; a check is asked for by a systemd credential in the SMBIOS table.

#![allow(clippy::disallowed_methods, reason = "an edge: runs machines")]

pub mod accelerator;
pub mod attempt;
pub mod check;
pub mod console;
pub mod interactive;
pub mod iso9660;
pub mod job;
pub mod junit;
pub mod loopback;
pub mod machine;
pub mod network;
pub mod options;
pub mod probe;
pub mod qmp;
pub mod report;
pub mod tamper;
pub mod usernet;
pub mod watch;

pub use check::{Case, Verdict, check};
pub use interactive::interactive;
pub use options::{Firmware, Media, Options};
pub use tamper::{is_iso, tampered};

/// Where a worker sees the medium.
const MEDIUM: &str = "/boot/medium.iso";
/// Where a worker sees the folder of the second serial port's socket.
const SERIAL: &str = "/boot/serial";
/// Where a worker sees the other disk.
const DISK: &str = "/boot/disk";
