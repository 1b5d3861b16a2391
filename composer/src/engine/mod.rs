//! The engines: a tree and a lock become layers.

pub mod job;
pub mod native;
pub mod plan;

pub use job::{Built, LayerRecord, SystemJob};
