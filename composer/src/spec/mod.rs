//! The image, with everything decided.

pub mod types;

pub use types::ImageSpec;
