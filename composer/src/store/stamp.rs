//! Files whose digest is known: what need not be read again as long as the kernel says that nobody changed it.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Store;
use crate::Digest;
use crate::digest::Hasher;
use crate::error::{IoContext, Result};

/// Records of known files by their place.
pub(super) const STAMPS: &str = "stamps";

/// Records of unpacked trees by their name.
pub(super) const TREES: &str = "trees";

/// What the kernel says of a file whose digest is known. Whoever changes the file changes its `ctime`, which no program can
/// set.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970.
    changed: i128,
    digest: Digest,
}

impl Stamp {
    fn of(meta: &Metadata, digest: Digest) -> Self {
        let changed = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        Stamp { device: meta.dev(), inode: meta.ino(), size: meta.len(), changed, digest }
    }
}

impl Store {
    /// Names a place in the records; one of the store is the same wherever the store is seen.
    fn stamp_key(&self, place: &Path) -> String {
        let place = place.strip_prefix(self.root()).unwrap_or(place);
        Digest::of(place.as_os_str().as_encoded_bytes()).to_string()
    }

    /// Notes that the file at `place` has these bytes.
    pub fn stamp(&self, place: &Path, digest: Digest) -> Result<()> {
        let meta = std::fs::metadata(place).at("read", place)?;
        self.put_record(STAMPS, &self.stamp_key(place), &Stamp::of(&meta, digest))
    }

    /// True if the file at `place` is there with these bytes; it is read only when it may have changed since it was last known.
    pub fn has_bytes(&self, place: &Path, digest: &Digest) -> Result<bool> {
        let Ok(file) = File::open(place) else { return Ok(false) };
        let stamp = Stamp::of(&file.metadata().at("read", place)?, *digest);
        if self.record(STAMPS, &self.stamp_key(place))?.as_ref() == Some(&stamp) {
            return Ok(true);
        }
        if Digest::of_reader(file).at("read", place)? != *digest {
            return Ok(false);
        }
        // What was stamped is what was read: a change meanwhile has another ctime.
        self.put_record(STAMPS, &self.stamp_key(place), &stamp)?;
        Ok(true)
    }

    /// Notes what the kernel says of a tree that was just unpacked at `root` and is to have this name.
    pub fn note_tree(&self, key: &str, root: &Path) -> Result<()> {
        let seen = seen(root).map_err(std::io::Error::from).at("read", root)?;
        self.put_record(TREES, key, &seen)
    }

    /// True if the tree is there and nobody changed anything in it since it was noted.
    pub fn tree_is_as_noted(&self, kind: &str, key: &str) -> Result<bool> {
        let noted: Option<Digest> = self.record(TREES, key)?;
        Ok(noted.is_some() && seen(&self.tree(kind, key)).ok() == noted)
    }

    /// True if the object is there and intact; a damaged one is removed.
    pub fn intact(&self, digest: &Digest) -> Result<bool> {
        let place = self.object(digest);
        let good = self.has_bytes(&place, digest)?;
        if !good {
            self.discard(digest)?;
        }
        Ok(good)
    }
}

/// What the kernel says of everything in a tree, in one digest. As with [`Stamp`], what was changed has another `ctime`.
fn seen(root: &Path) -> walkdir::Result<Digest> {
    let mut hasher = Hasher::default();
    // The root's own ctime changes when the tree gets its name.
    for entry in walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let meta = entry.metadata()?;
        hasher.update(entry.path().strip_prefix(root).unwrap_or(root).as_os_str().as_encoded_bytes());
        let (inode, mode, size) = (meta.ino(), meta.mode(), meta.len());
        hasher.update(format!("\0{inode} {mode} {size} {} {}\n", meta.ctime(), meta.ctime_nsec()).as_bytes());
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_changed_object_is_found_out_even_with_its_size_and_mtime_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let digest = store.insert(b"layer").unwrap();
        let place = store.object(&digest);
        assert!(store.intact(&digest).unwrap() && store.intact(&digest).unwrap());
        let time = fs::metadata(&place).unwrap().modified().unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&place, b"lAyer").unwrap();
        File::options().write(true).open(&place).unwrap().set_modified(time).unwrap();
        assert!(!store.intact(&digest).unwrap());
        assert!(!place.exists(), "it is out of the way");
        assert!(!store.intact(&digest).unwrap());
    }
}
