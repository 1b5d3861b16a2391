//! The engines: a tree and a lock become layers.

pub mod compare;
pub mod files;
pub mod job;
pub mod keys;
pub mod live_build;
pub mod native;
pub mod ready;
pub mod system;

pub use job::{Built, LayerRecord, SystemJob};
