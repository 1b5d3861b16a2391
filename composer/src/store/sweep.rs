//! What can be removed from a store, and what the newest builds still use.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Store;
use super::stamp::{STAMPS, TREES};
use crate::Digest;
use crate::error::{IoContext, Result};

/// Records of packages that were made ready. The name has a number, which is raised whenever more is to be known of a package.
pub const READY: &str = "debs-2";
/// Those that an older version of this program made.
const FORMERLY_READY: &str = "debs";

/// Records of what the newest build of each profile used, by the profile's name.
const USED: &str = "used";

/// What a build used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Packages, tools and what was made of them.
    pub objects: BTreeSet<Digest>,
    /// Names of unpacked tools trees.
    pub trees: BTreeSet<String>,
}

/// The kinds of things in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Layers,
    Downloads,
    Tools,
    Rest,
}

impl Part {
    pub fn title(self) -> &'static str {
        match self {
            Part::Layers => "layers, kernels and initrds",
            Part::Downloads => "packages and indices",
            Part::Tools => "unpacked tools",
            Part::Rest => "logs and notes",
        }
    }
}

/// A file or folder of the store.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    pub part: Part,
    pub path: PathBuf,
    pub bytes: u64,
}

/// Records that belong to layers, and those that speak of packages and indices.
const LAYER_RECORDS: [&str; 4] = ["layers", "media", "pulled", STAMPS];
const PACKAGE_RECORDS: [&str; 6] = [READY, FORMERLY_READY, "index", "runtime", "runtime-sources", "state"];
const NOTES: [&str; 4] = ["latest", USED, "sizes", "kvm"];

impl Store {
    /// Notes what the newest build of a profile used.
    pub fn note_used(&self, profile: &str, used: &Used) -> Result<()> {
        if self.record::<Used>(USED, profile)?.as_ref() == Some(used) {
            return Ok(());
        }
        self.put_record(USED, profile, used)
    }

    /// Everything that could go; with `keep_latest`, but what the newest builds used. Nobody else may use the store.
    pub fn sweepable(&self, keep_latest: bool) -> Result<Vec<Item>> {
        let kept = if keep_latest { self.kept()? } else { Used::default() };
        let layers = self.objects_of_layers()?;
        let mut items = Vec::new();
        for digest in self.all_objects()?.into_iter().filter(|digest| !kept.objects.contains(digest)) {
            let part = if layers.contains(&digest) { Part::Layers } else { Part::Downloads };
            items.push(item(part, self.object(&digest))?);
        }
        let keeps = |path: &Path| keep_latest && stands_for(path, &kept.objects);
        for (part, kinds) in
            [(Part::Layers, &LAYER_RECORDS[..]), (Part::Downloads, &PACKAGE_RECORDS[..]), (Part::Rest, &NOTES[..])]
        {
            for kind in kinds.iter().filter(|kind| !(keep_latest && NOTES.contains(kind))) {
                let records = entries(&self.root.join("records").join(kind))?;
                for path in records.into_iter().filter(|path| *kind == FORMERLY_READY || !keeps(path)) {
                    items.push(item(part, path)?);
                }
            }
        }
        let trees = entries(&self.root.join("trees/tools"))?;
        for path in trees.into_iter().chain(entries(&self.root.join("records").join(TREES))?) {
            let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if !kept.trees.contains(&name) {
                items.push(item(Part::Tools, path)?);
            }
        }
        for (part, folder) in [(Part::Downloads, "partial"), (Part::Rest, "logs")] {
            for path in entries(&self.root.join(folder))? {
                items.push(item(part, path)?);
            }
        }
        Ok(items)
    }

    /// What the newest builds of all profiles used, and what is known of those packages.
    fn kept(&self) -> Result<Used> {
        let mut kept = Used::default();
        for path in entries(&self.root.join("records").join(USED))? {
            let Some(name) = path.file_stem().and_then(|n| n.to_str()) else { continue };
            let used: Used = self.record(USED, name)?.unwrap_or_default();
            kept.objects.extend(used.objects);
            kept.trees.extend(used.trees);
        }
        // A package that was made ready is kept with the package.
        let records = entries(&self.root.join("records").join(READY))?;
        let ready = records.iter().filter(|path| names(path, &kept.objects)).map(|path| read(path));
        let ready: Vec<Digest> = ready
            .flat_map(|record| ["object", "modules"].map(|name| record.get(name)?.as_str()?.parse().ok()))
            .flatten()
            .collect();
        kept.objects.extend(ready);
        Ok(kept)
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(found) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths = found.map(|e| Ok(e.at("read", folder)?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn item(part: Part, path: PathBuf) -> Result<Item> {
    Ok(Item { part, bytes: bytes(&path)?, path })
}

fn bytes(path: &Path) -> Result<u64> {
    let meta = fs::symlink_metadata(path).at("read", path)?;
    if !meta.is_dir() {
        return Ok(meta.len());
    }
    entries(path)?.iter().try_fold(0, |sum, path| Ok(sum + bytes(path)?))
}

fn read(path: &Path) -> serde_json::Value {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Whether a record is named after one of the objects.
fn names(path: &Path, objects: &BTreeSet<Digest>) -> bool {
    let name = path.file_stem().and_then(|n| n.to_str()).and_then(|n| n.parse::<Digest>().ok());
    name.is_some_and(|digest| objects.contains(&digest))
}

/// Whether a record is named after, or speaks of, one of the objects.
fn stands_for(path: &Path, objects: &BTreeSet<Digest>) -> bool {
    fn speaks(value: &serde_json::Value, objects: &BTreeSet<Digest>) -> bool {
        match value {
            serde_json::Value::String(text) => text.parse::<Digest>().is_ok_and(|digest| objects.contains(&digest)),
            serde_json::Value::Array(values) => values.iter().any(|value| speaks(value, objects)),
            serde_json::Value::Object(map) => map.values().any(|value| speaks(value, objects)),
            _ => false,
        }
    }
    names(path, objects) || speaks(&read(path), objects)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn store(folder: &Path) -> (Store, Digest, Digest, Digest) {
        let store = Store::open(folder).unwrap();
        let (used, ready, old) =
            (store.insert(b"used").unwrap(), store.insert(b"ready").unwrap(), store.insert(b"old").unwrap());
        let layer = store.insert(b"layer").unwrap();
        store.put_record(FORMERLY_READY, &used.to_string(), &json!({ "object": ready })).unwrap();
        store.put_record(READY, &used.to_string(), &json!({ "object": ready })).unwrap();
        store.put_record("layers", "key", &json!({ "digest": layer })).unwrap();
        fs::create_dir_all(store.tree("tools", "new")).unwrap();
        fs::create_dir_all(store.tree("tools", "old")).unwrap();
        store.note_tree("new", &store.tree("tools", "new")).unwrap();
        store.note_tree("old", &store.tree("tools", "old")).unwrap();
        let note = Used { objects: [used].into(), trees: ["new".to_owned()].into() };
        store.note_used("edge", &note).unwrap();
        (store, used, ready, old)
    }

    #[test]
    fn what_the_newest_build_used_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (store, used, ready, old) = store(folder.path());
        let items = store.sweepable(true).unwrap();
        let gone = |digest: &Digest| items.iter().any(|item| item.path == store.object(digest));
        assert!(!gone(&used) && !gone(&ready) && gone(&old));
        assert!(items.iter().any(|item| item.path.starts_with(store.root.join("records/debs"))));
        let names: Vec<_> = items.iter().filter_map(|i| i.path.file_name()?.to_str()).collect();
        assert!(["old", "old.json", "key.json"].iter().all(|name| names.contains(name)), "{names:?}");
        assert!(!names.contains(&"new") && !names.contains(&"new.json") && !names.contains(&"edge.json"), "{names:?}");
    }

    #[test]
    fn without_that_all_of_it_could_go() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ..) = store(folder.path());
        let items = store.sweepable(false).unwrap();
        let of = |part: Part| items.iter().filter(|item| item.part == part).count();
        assert_eq!([of(Part::Layers), of(Part::Downloads), of(Part::Tools), of(Part::Rest)], [2, 5, 4, 1]);
        assert_eq!(items.iter().find(|i| i.path.ends_with("old")).map(|i| i.bytes), Some(0));
    }
}
