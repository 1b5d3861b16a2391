//! The medium: layers, kernel and initrd become a hybrid ISO.

pub mod assemble;
pub mod boot_files;
pub mod manifest;
pub mod medium;
pub mod menu;

pub use manifest::Manifest;
pub use medium::{Medium, MediumJob};
