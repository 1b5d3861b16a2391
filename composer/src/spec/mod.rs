//! The image, with everything decided.

pub mod base;
pub mod files;
pub mod load;
mod resolve;
mod services;
pub mod types;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Digest;
pub use files::Sources;
pub use load::{Loaded, Overrides, ProfileView, Reader};
pub use resolve::resolve;
pub use types::ImageSpec;

/// The digest of each top-level field by name, so that a stale lock can say what changed.
pub fn parts(spec: &ImageSpec) -> BTreeMap<String, Digest> {
    match serde_json::to_value(spec) {
        Ok(Value::Object(map)) => map.iter().map(|(name, part)| (name.clone(), Digest::of_value(part))).collect(),
        _ => BTreeMap::new(),
    }
}
