//! The medium: layers, kernel and initrd become a hybrid ISO.

pub mod boot_files;
pub mod medium;
pub mod menu;

pub use medium::{Medium, MediumJob};
