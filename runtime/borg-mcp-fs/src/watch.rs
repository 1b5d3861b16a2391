//! Which of some files and folders have changed, by inotify.
//!
//! A file is watched by its name in its folder, so that one which is replaced, or not there yet, is seen too. The kernel is
//! told of the folder by the descriptor that was opened beneath the root, and never by a path of the client's.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use cap_std::fs::{Dir, MetadataExt as _};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use crate::fault::Fault;
use crate::resources;
use crate::roots::Roots;

/// Changes of names, and of what is in a file. Reading is none, so that a client which reads what has changed is not told so.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);
/// Of a folder, only names: what is in its files is not what it lists.
const CONTENT: ReadFlags = ReadFlags::MODIFY;
const LOST: ReadFlags = ReadFlags::QUEUE_OVERFLOW;

#[derive(Debug)]
pub struct Watcher {
    inotify: OwnedFd,
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    uri: String,
    path: String,
    /// Nothing as long as its folder is not there.
    at: Option<At>,
}

/// A folder that the kernel watches, and the file in it that is meant, if not all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct At {
    watch: i32,
    folder: (u64, u64),
    name: Option<OsString>,
}

impl Watcher {
    pub fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Watcher { inotify, watched: Vec::new() })
    }

    /// Watches these from now on, and no others.
    pub fn want(&mut self, roots: &Roots, uris: &BTreeSet<String>) {
        self.watched.retain(|watched| uris.contains(&watched.uri));
        for uri in uris {
            let new = self.watched.iter().all(|watched| &watched.uri != uri);
            if let Some(path) = new.then(|| resources::path(uri).ok()).flatten() {
                self.watched.push(Watched { uri: uri.clone(), path, at: None });
            }
        }
        self.look_again(roots);
    }

    /// Finds out where each one lies by now, and returns those that lie elsewhere than before: a folder above may have been
    /// moved or swapped, of which the kernel does not tell.
    pub fn look_again(&mut self, roots: &Roots) -> BTreeSet<String> {
        let before = self.watches();
        let mut moved = BTreeSet::new();
        for watched in &mut self.watched {
            let at = place(roots, &watched.path).ok().and_then(|(dir, name)| add(&self.inotify, &dir, name).ok());
            if at != watched.at {
                moved.insert(watched.uri.clone());
                watched.at = at;
            }
        }
        for unused in before.difference(&self.watches()) {
            // The kernel may have removed it already.
            let _ = inotify::remove_watch(&self.inotify, *unused);
        }
        moved
    }

    fn watches(&self) -> BTreeSet<i32> {
        self.watched.iter().filter_map(|watched| Some(watched.at.as_ref()?.watch)).collect()
    }

    /// What has changed since the last time. Waits for nothing.
    pub fn changed(&self) -> BTreeSet<String> {
        let mut changed = BTreeSet::new();
        let mut buffer = [MaybeUninit::uninit(); 8 * 1024];
        let mut events = Reader::new(&self.inotify, &mut buffer);
        // As many as the kernel keeps by default: more may come all the while.
        for _ in 0..16 * 1024 {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => break,
            };
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            let hit = self.watched.iter().filter(|watched| watched.is_hit(event.wd(), event.events(), name));
            changed.extend(hit.map(|watched| watched.uri.clone()));
        }
        changed
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

impl Watched {
    fn is_hit(&self, watch: i32, events: ReadFlags, name: Option<&OsStr>) -> bool {
        let Some(at) = &self.at else { return events.contains(LOST) };
        let hit = at.watch == watch
            && match (&at.name, name) {
                (Some(own), Some(name)) => own == name,
                // Of the folder itself.
                (_, None) => true,
                (None, Some(_)) => !events.contains(CONTENT),
            };
        hit || events.contains(LOST)
    }
}

/// The folder to watch for a path, and the name in it unless the folder itself is meant.
fn place(roots: &Roots, path: &str) -> Result<(Dir, Option<OsString>), Fault> {
    if roots.metadata(path).is_ok_and(|there| there.is_dir()) {
        return Ok((roots.open_folder(path)?.0, None));
    }
    let place = roots.spot(path, true)?;
    Ok((place.dir, Some(place.name)))
}

fn add(inotify: &OwnedFd, dir: &Dir, name: Option<OsString>) -> io::Result<At> {
    let metadata = dir.dir_metadata()?;
    let own = format!("/proc/self/fd/{}", dir.as_raw_fd());
    let watch = inotify::add_watch(inotify, own, CHANGES | WatchFlags::ONLYDIR)?;
    Ok(At { watch, folder: (metadata.dev(), metadata.ino()), name })
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
