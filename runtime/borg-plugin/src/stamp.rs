//! What tells, without reading a plugin, that it changed.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Inode, size and times of the files that decide how a plugin starts; what else it reads while it runs does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<Option<Stamp>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Tells a change of owner or mode, which mends what was broken.
    changed: (i64, i64),
}

impl Fingerprint {
    /// Adds the file at `path` below `root`, whether or not it is there.
    pub fn add(&mut self, root: &File, path: &Path) {
        let opened = borg_beneath::open(root, path, OFlags::PATH).ok();
        self.0.push(opened.and_then(|file| file.metadata().ok()).map(|metadata| Stamp {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }));
    }
}
