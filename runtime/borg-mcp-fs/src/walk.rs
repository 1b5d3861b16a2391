//! Walking a folder: in the order of names, one descriptor at a time, links never followed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::entries;
pub use crate::entries::{Entries, Kind, entries};

/// What a walk comes by.
#[derive(Debug)]
pub enum Seen<'a> {
    Entry {
        below: &'a Path,
        name: &'a OsStr,
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

/// A folder that is walked through, and how far.
struct Level {
    entries: Entries,
    next: usize,
}

impl Level {
    fn new(entries: Entries) -> Self {
        Level { entries, next: 0 }
    }

    fn step(&mut self) -> Option<(&OsStr, Kind)> {
        self.next += 1;
        self.entries.get(self.next - 1)
    }
}

/// Shows `on` everything below `start`, a folder before what it holds. Says whether that was all: a walk ends early when
/// `on` stops it, when `until` has come, or when a folder has more than [`entries::ENTRY_LIMIT`] entries; and it is not all when
/// a folder could not be read for another reason than that it is gone or closed to us.
pub fn visit(start: impl AsFd, until: Instant, mut on: impl FnMut(Seen<'_>) -> Step) -> io::Result<bool> {
    let first = entries(&start, until)?;
    let mut all = first.all;
    let mut levels = vec![Level::new(first)];
    let mut below = PathBuf::new();
    let mut count = 0_usize;
    while let Some(level) = levels.last_mut() {
        let Some((name, kind)) = level.step() else {
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
        below.push(name);
        let step = on(Seen::Entry { below: &below, name, kind });
        match (step, kind) {
            (Step::Stop, _) => return Ok(false),
            (Step::On, Kind::Folder) => {
                // Opened from the start: a folder swapped for a symlink meanwhile is not entered.
                let found = open_folder(&start, &below).and_then(|folder| entries::read(folder.into(), until));
                all &= found.as_ref().map_or_else(is_passed_over, |found| found.all);
                levels.push(Level::new(found.unwrap_or_default()));
            }
            _ => {
                below.pop();
            }
        }
    }
    Ok(all)
}

/// Whether what was come by is gone, is something else by now, or is closed to us: that is no fault of a walk's.
pub fn is_passed_over(error: &io::Error) -> bool {
    let harmless = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::ACCESS, Errno::PERM];
    Errno::from_io_error(error).is_some_and(|errno| harmless.contains(&errno))
}

fn open_folder(start: impl AsFd, below: &Path) -> io::Result<File> {
    Ok(borg_beneath::open(start, below, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK)?)
}

/// A regular file that a walk came by.
pub fn open_file(start: impl AsFd, below: &Path) -> io::Result<File> {
    Ok(borg_beneath::open(start, below, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?)
}
