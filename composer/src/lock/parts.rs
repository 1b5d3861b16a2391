//! The parts of a spec, so that a stale lock can say what changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::types::Lock;
use crate::Digest;
use crate::archive::tools::{TOOLS, sysroot};
use crate::spec::ImageSpec;

/// The digests of the spec's parts, by their names.
pub fn parts(spec: &ImageSpec) -> BTreeMap<String, Digest> {
    let mut parts = BTreeMap::new();
    if let Ok(Value::Object(fields)) = serde_json::to_value(spec) {
        parts.extend(fields.iter().map(|(name, value)| (name.clone(), Digest::of_value(value))));
    }
    // A composer that needs other tools needs another lock.
    parts.insert("tools".to_owned(), Digest::of_value(&TOOLS));
    parts.insert("sysroot".to_owned(), Digest::of_value(&sysroot(spec.suite)));
    parts
}

/// The names of the parts that differ from what the lock was made for; `None` if none does.
pub fn stale(lock: &Lock, spec: &ImageSpec) -> Option<Vec<String>> {
    let now = parts(spec);
    let names: BTreeSet<&String> = now.keys().chain(lock.parts.keys()).collect();
    let mut changed: Vec<String> =
        names.into_iter().filter(|name| now.get(*name) != lock.parts.get(*name)).cloned().collect();
    if changed.is_empty() && lock.spec != spec.digest() {
        changed.push("profile".to_owned());
    }
    if changed.is_empty() { None } else { Some(changed) }
}
