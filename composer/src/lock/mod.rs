//! The lock: every input by digest and, after a build, its outputs.

pub mod types;

pub use types::Lock;
