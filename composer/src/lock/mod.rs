//! The lock: every input by digest and, after a build, its outputs.

mod diff;
pub mod file;
mod parts;
#[cfg(test)]
mod tests;
pub mod types;

pub use diff::{Change, diff};
pub use parts::{parts, renewed, stale};
pub use types::Lock;
