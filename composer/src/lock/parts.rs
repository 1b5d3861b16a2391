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

/// The parts that packages, tools and versions are chosen from. What the services bring of packages is among `packages`, and
/// what they bring of the runtime is compared by its bytes.
const CHOOSING: [&str; 7] = ["suite", "arch", "base_packages", "packages", "archives", "tools", "sysroot"];

/// The lock for a spec that asks for the same packages; `None` if one of the `stale` parts may ask for others. No archive has
/// to be read for it.
pub fn renewed(lock: &Lock, spec: &ImageSpec, stale: &[String], epoch: Option<u64>) -> Option<Lock> {
    let known = parts(spec);
    let same = stale.iter().all(|part| known.contains_key(part) && !CHOOSING.contains(&part.as_str()));
    same.then(|| Lock {
        spec: spec.digest(),
        parts: known,
        epoch: epoch.unwrap_or(lock.epoch),
        outputs: None,
        ..lock.clone()
    })
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
