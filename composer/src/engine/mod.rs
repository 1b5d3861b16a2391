//! The engines: a tree and a lock become layers.

pub mod compare;
pub mod files;
pub mod find;
#[cfg(test)]
mod find_tests;
pub mod job;
pub mod keys;
mod lean;
pub mod limit;
pub mod live_build;
pub mod native;
pub mod parcel;
pub mod quick;
pub mod ready;
pub mod system;

pub use job::{Built, LayerRecord, SystemJob};

/// Bytes of scratch space that making the system layers is allowed: all packages unpacked, twice where layers are redone.
pub fn scratch_bytes(lock: &crate::lock::Lock) -> u64 {
    1_000_000_000 + 10 * lock.deb_bytes()
}
