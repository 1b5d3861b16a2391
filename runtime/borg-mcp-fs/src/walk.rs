//! Walking a folder: in the order of names, one descriptor at a time, links never followed.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};

/// The most entries of one folder that are looked at: they are sorted, and so held at once.
pub const ENTRY_LIMIT: usize = 500_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
    Link,
    Other,
}

#[derive(Debug)]
pub struct Entry {
    pub name: OsString,
    pub kind: Kind,
}

/// What a walk comes by.
#[derive(Debug)]
pub enum Seen<'a> {
    Entry {
        below: &'a Path,
        name: &'a OsString,
        kind: Kind,
    },
    /// A folder's last entry was seen; also told of a folder that cannot be read.
    Left,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    On,
    /// Not into this folder.
    Over,
    Stop,
}

/// A folder's entries, sorted by their bytes, and whether these are all.
pub fn entries(folder: impl AsFd, until: Instant) -> io::Result<(Vec<Entry>, bool)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut reader = rustix::fs::Dir::new(rustix::fs::openat(&folder, ".", flags, Mode::empty())?)?;
    let mut entries = Vec::new();
    let mut all = true;
    while let Some(entry) = reader.read() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        if entries.len() == ENTRY_LIMIT || (entries.len().is_multiple_of(1024) && Instant::now() > until) {
            all = false;
            break;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say.
            FileType::Unknown => rustix::fs::statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            known => known,
        };
        entries.push(Entry { name: OsString::from_vec(name.to_vec()), kind: kind.into() });
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok((entries, all))
}

impl From<FileType> for Kind {
    fn from(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        }
    }
}

/// Shows `on` everything below `start`, a folder before what it holds. Says whether that was all: a walk ends early when
/// `on` stops it, when `until` has come, or when a folder has more than [`ENTRY_LIMIT`] entries.
pub fn visit(start: impl AsFd, until: Instant, mut on: impl FnMut(Seen<'_>) -> Step) -> io::Result<bool> {
    let (first, mut all) = entries(&start, until)?;
    let mut levels = vec![first.into_iter()];
    let mut below = PathBuf::new();
    let mut count = 0_usize;
    while let Some(level) = levels.last_mut() {
        let Some(Entry { name, kind }) = level.next() else {
            levels.pop();
            below.pop();
            if !levels.is_empty() {
                on(Seen::Left);
            }
            continue;
        };
        count += 1;
        if count.is_multiple_of(256) && Instant::now() > until {
            return Ok(false);
        }
        below.push(&name);
        let step = on(Seen::Entry { below: &below, name: &name, kind });
        match (step, kind) {
            (Step::Stop, _) => return Ok(false),
            (Step::On, Kind::Folder) => {
                // Opened from the start: a folder swapped for a symlink meanwhile is not entered.
                let found = open_folder(&start, &below).and_then(|folder| entries(folder, until));
                let (found, whole) = found.unwrap_or((Vec::new(), true));
                all &= whole;
                levels.push(found.into_iter());
            }
            _ => {
                below.pop();
            }
        }
    }
    Ok(all)
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

fn open_folder(start: impl AsFd, below: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::openat2(start, below, flags, Mode::empty(), BENEATH)?)
}

/// A regular file that a walk came by.
pub fn open_file(start: impl AsFd, below: &Path) -> io::Result<std::fs::File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat2(start, below, flags, Mode::empty(), BENEATH)?.into())
}
