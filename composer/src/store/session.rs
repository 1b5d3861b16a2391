//! A run's own folder for unfinished files; what a killed run left goes with the next one.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::Error;
use crate::error::{IoContext, Result};

/// A folder below `tmp/` that is held by a lock file beside it for as long as the run lives.
#[derive(Debug)]
pub struct Session {
    pub folder: PathBuf,
    lock: Option<Flock<File>>,
}

impl Session {
    /// Makes a session below `tmp`, after removing those that nobody holds any more.
    pub fn open(tmp: &Path) -> Result<Self> {
        sweep(tmp, |folder| fs::remove_dir_all(folder).at("remove", folder));
        loop {
            let name =
                tempfile::Builder::new().prefix("run-").suffix(".lock").tempfile_in(tmp).at("create a file in", tmp)?;
            let (file, path) = name
                .keep()
                .map_err(|e| Error::host(format!("cannot create a file in {}", tmp.display())).because(&e))?;
            let held = Flock::lock(file, FlockArg::LockExclusive)
                .map_err(|(_, e)| Error::host(format!("cannot lock {}", path.display())).because(&e))?;
            // Another run's sweep may have taken the file between its making and its locking.
            if !still_there(&held, &path) {
                continue;
            }
            let folder = path.with_extension("");
            fs::create_dir(&folder).at("create", &folder)?;
            return Ok(Session { folder, lock: Some(held) });
        }
    }
}

impl Session {
    /// The session of the run that this worker belongs to, which puts it away.
    pub fn join(folder: &Path) -> Self {
        Session { folder: folder.to_owned(), lock: None }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.lock.is_none() {
            return;
        }
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(self.folder.with_extension("lock"));
        self.lock.take();
    }
}

pub(super) fn still_there(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Has `remove` remove what runs that are gone have left. What cannot be removed now is tried again next time.
pub(super) fn sweep(tmp: &Path, remove: impl Fn(&Path) -> Result<()>) {
    let Ok(entries) = fs::read_dir(tmp) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        // Only what this program names is its to remove.
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-"));
        if !ours {
            continue;
        }
        let lock = path.with_extension("lock");
        // Held until all is removed: its run may have made the file a moment ago, and waits for it.
        let _held = match File::open(&lock) {
            Ok(file) => match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(held) if still_there(&held, &lock) => Some(held),
                _ => continue,
            },
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            // Another user's, who may be at work.
            Err(_) => continue,
        };
        let folder = path.with_extension("");
        if !folder.exists() || remove(&folder).is_ok() {
            let _ = fs::remove_file(&lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_stays_locked_meanwhile() {
        let tmp = tempfile::tempdir().unwrap();
        let lock = tmp.path().join("run-dead.lock");
        fs::create_dir(tmp.path().join("run-dead")).unwrap();
        fs::write(&lock, "").unwrap();
        sweep(tmp.path(), |folder| {
            let again = Flock::lock(File::open(&lock).unwrap(), FlockArg::LockExclusiveNonblock);
            assert!(again.is_err(), "its run may be about to take it");
            fs::remove_dir_all(folder).at("remove", folder)
        });
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_file_that_cannot_be_opened_is_somebodys() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("run-other");
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink("run-other.lock", folder.with_extension("lock")).unwrap();
        drop(Session::open(tmp.path()).unwrap());
        assert!(folder.is_dir());
    }

    #[test]
    fn removes_what_a_dead_run_left_and_nothing_else() {
        let tmp = tempfile::tempdir().unwrap();
        let alive = Session::open(tmp.path()).unwrap();
        fs::create_dir(tmp.path().join("run-dead")).unwrap();
        fs::write(tmp.path().join("run-dead/part"), "x").unwrap();
        fs::write(tmp.path().join("run-dead.lock"), "").unwrap();
        fs::write(tmp.path().join("another's"), "").unwrap();
        let second = Session::open(tmp.path()).unwrap();
        assert!(alive.folder.is_dir() && second.folder.is_dir());
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 5);
        drop((alive, second));
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 1);
    }
}
