//! All that is kept between runs: content by digest, records by key, locks by name.
//!
//! Layout below the root (`$BORG_STORE`): `objects/<2>/<digest>` (content, read-only), `records/<kind>/<key>.json`
//! (key -> what came out), `trees/<kind>/<key>/` (unpacked: the tools tree), `locks/`, `tmp/`, `logs/`.
//! Nothing is ever half-written: content goes to `tmp/`, is synced and renamed.

#![allow(clippy::disallowed_methods, reason = "an edge: the store")]

mod logs;
mod output;
mod session;
mod stamp;
pub mod sweep;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use crate::error::{IoContext, Result};
use crate::interrupt::{self, Heeding};
use crate::progress::Progress;
use crate::{Digest, Error};
use session::Session;

pub use output::Output;

/// The file by which a folder is known to be a store.
const MARKER: &str = "BORG-STORE";

#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    session: Arc<Session>,
}

/// A lock that other processes respect; released when dropped, or when the process dies.
#[derive(Debug)]
pub struct Guard(#[allow(dead_code)] Flock<File>);

impl Store {
    /// Opens the store at `root`, making its folders.
    pub fn open(root: &Path) -> Result<Self> {
        mark(root)?;
        for folder in ["objects", "records", "trees", "locks", "tmp", "logs"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).at("create", &path)?;
        }
        let root = root.canonicalize().at("open", root)?;
        let session = Arc::new(Session::open(&root.join("tmp"))?);
        Ok(Store { root, session })
    }

    /// Has `remove` remove what runs that are gone have left, for those who can do more than this user.
    pub fn sweep(&self, remove: impl Fn(&Path) -> Result<()>) {
        session::sweep(&self.root.join("tmp"), remove);
    }

    /// The store as a worker sees it, with the session of the run that the worker belongs to.
    pub fn join(root: &Path, session: &str) -> Self {
        let session = Arc::new(Session::join(&root.join("tmp").join(session)));
        Store { root: root.to_owned(), session }
    }

    /// The name by which a worker joins this run's session.
    pub fn session(&self) -> String {
        self.session.folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where content with this digest lies, whether or not it is there.
    pub fn object(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join("objects").join(&name[..2]).join(name)
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.object(digest).is_file()
    }

    /// The folder for this run's unfinished files.
    pub fn temporaries(&self) -> &Path {
        &self.session.folder
    }

    /// A file to write content into before [`Store::adopt`] gives it its name.
    pub fn temporary(&self) -> Result<NamedTempFile> {
        let folder = self.temporaries();
        NamedTempFile::new_in(folder).at("create a file in", folder)
    }

    /// A folder that goes when it is dropped.
    pub fn temporary_folder(&self) -> Result<tempfile::TempDir> {
        let folder = self.temporaries();
        tempfile::tempdir_in(folder).at("create a folder in", folder)
    }

    /// Moves a finished temporary file to its place. The caller has computed `digest` over the very bytes written.
    pub fn adopt(&self, file: NamedTempFile, digest: &Digest) -> Result<PathBuf> {
        let path = self.object(digest);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).at("create", folder)?;
        file.as_file().sync_all().at("write", file.path())?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o444);
        file.as_file().set_permissions(mode).at("write", file.path())?;
        file.persist(&path).map_err(|e| Error::host(format!("cannot write {}", path.display())).because(&e))?;
        Ok(path)
    }

    pub fn insert(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.contains(&digest) {
            let mut file = self.temporary()?;
            file.write_all(bytes).at("write", file.path())?;
            self.adopt(file, &digest)?;
        }
        Ok(digest)
    }

    /// Reads content and checks it against its name; what does not match is set aside and reported as absent.
    pub fn read(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let path = self.object(digest);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(mut file) => file.read_to_end(&mut bytes).at("read", &path)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).at("open", &path),
        };
        if Digest::of(&bytes) == *digest {
            return Ok(Some(bytes));
        }
        self.discard(digest)?;
        Ok(None)
    }

    /// True if the object is there and hashes to its name; a corrupted one is removed.
    pub fn verify(&self, digest: &Digest) -> Result<bool> {
        let path = self.object(digest);
        let Ok(file) = File::open(&path) else { return Ok(false) };
        if Digest::of_reader(Heeding(file)).at("read", &path)? == *digest {
            return Ok(true);
        }
        self.discard(digest)?;
        Ok(false)
    }

    /// Gives another store on the same file system an object of this one, without copying it.
    pub fn lend(&self, digest: &Digest, to: &Store) -> Result<()> {
        let (from, place) = (self.object(digest), to.object(digest));
        let folder = place.parent().unwrap_or(&to.root);
        fs::create_dir_all(folder).at("create", folder)?;
        match fs::hard_link(&from, &place) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e).at("link", &place),
            _ => Ok(()),
        }
    }

    /// Removes an object, if it is there.
    pub fn discard(&self, digest: &Digest) -> Result<()> {
        remove_if_there(&self.object(digest))
    }

    fn record_path(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join("records").join(kind).join(format!("{key}.json"))
    }

    /// The record of `kind` under `key`; one that cannot be parsed counts as absent.
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &str) -> Result<Option<T>> {
        let path = self.record_path(kind, key);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).at("read", &path),
        }
    }

    pub fn put_record<T: Serialize>(&self, kind: &str, key: &str, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(value)
            .map_err(|e| Error::internal(format!("cannot write a record of kind {kind}")).because(&e))?;
        let path = self.record_path(kind, key);
        // The run's own folder is on the same file system, and what a killed run leaves there goes with the next.
        let file = self.temporary()?;
        fill(file.as_file(), &path, &bytes)?;
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).at("create", folder)?;
        file.persist(&path).map(drop).map_err(|e| e.error).at("write", &path)
    }

    /// Removes a record, if it is there.
    pub fn forget(&self, kind: &str, key: &str) -> Result<()> {
        remove_if_there(&self.record_path(kind, key))
    }

    /// Where an unpacked tree of `kind` lies, whether or not it is there.
    pub fn tree(&self, kind: &str, key: &str) -> PathBuf {
        self.root.join("trees").join(kind).join(key)
    }

    /// Waits for the lock `name`, so that of two builds that need the same thing one makes it and the other reuses it.
    /// `holder` is who has it meanwhile, as the rest of "waiting for".
    pub fn lock(&self, name: &str, holder: &str, progress: &Progress) -> Result<Guard> {
        self.wait(name, FlockArg::LockExclusiveNonblock, holder, progress)
    }

    /// Takes the lock `name` together with others who do the same: builds do, so that `clean` cannot run meanwhile.
    pub fn lock_shared(&self, name: &str, progress: &Progress) -> Result<Guard> {
        self.wait(name, FlockArg::LockSharedNonblock, "`clean`", progress)
    }

    /// Takes the lock `name` alone, or fails at once.
    pub fn lock_alone(&self, name: &str) -> Result<Guard> {
        let in_use = || Error::host(format!("a build is using {}", self.root.display())).help("wait until it is done");
        self.attempt(name, FlockArg::LockExclusiveNonblock)?.ok_or_else(in_use)
    }

    /// Tries again and again, so that the user can stop it: flock(2) itself would wait on.
    fn wait(&self, name: &str, how: FlockArg, holder: &str, progress: &Progress) -> Result<Guard> {
        if let Some(guard) = self.attempt(name, how)? {
            return Ok(guard);
        }
        progress.say("waiting", &format!("for {holder}"));
        loop {
            interrupt::check()?;
            std::thread::sleep(interrupt::GLANCE);
            if let Some(guard) = self.attempt(name, how)? {
                return Ok(guard);
            }
        }
    }

    fn attempt(&self, name: &str, how: FlockArg) -> Result<Option<Guard>> {
        let path = self.root.join("locks").join(name);
        let file = File::options().create(true).append(true).open(&path).at("create", &path)?;
        match Flock::lock(file, how) {
            Ok(held) => Ok(Some(Guard(held))),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, e)) => Err(Error::host(format!("cannot lock {}", path.display())).because(&e)),
        }
    }

    /// Every object by its name.
    pub fn all_objects(&self) -> Result<BTreeSet<Digest>> {
        let mut found = BTreeSet::new();
        let root = self.root.join("objects");
        for folder in fs::read_dir(&root).at("read", &root)? {
            let folder = folder.at("read", &root)?.path();
            for entry in fs::read_dir(&folder).at("read", &folder)? {
                let name = entry.at("read", &folder)?.file_name();
                found.extend(name.to_str().and_then(|n| n.parse::<Digest>().ok()));
            }
        }
        Ok(found)
    }

    /// The objects that layer records name: squashfs files, kernels, initrds.
    pub fn objects_of_layers(&self) -> Result<BTreeSet<Digest>> {
        let folder = self.root.join("records/layers");
        let mut found = BTreeSet::new();
        let Ok(entries) = fs::read_dir(&folder) else { return Ok(found) };
        for entry in entries {
            let path = entry.at("read", &folder)?.path();
            let bytes = fs::read(&path).at("read", &path)?;
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let names = ["digest", "kernel", "initrd"]
                .iter()
                .filter_map(|key| value.get(key)?.as_str()?.parse::<Digest>().ok());
            found.extend(names);
        }
        Ok(found)
    }
}

/// Sees to it that `root` is a store, or may become one: a folder that holds other things is nobody's to sweep.
fn mark(root: &Path) -> Result<()> {
    if root.join(MARKER).is_file() {
        return Ok(());
    }
    let mut names = BTreeSet::new();
    if root.exists() {
        for entry in fs::read_dir(root).at("read", root)? {
            names.insert(entry.at("read", root)?.file_name());
        }
    }
    claim(root, names)
}

/// Makes a store of a folder that held these names a moment ago.
fn claim(root: &Path, mut names: BTreeSet<OsString>) -> Result<()> {
    let marker = root.join(MARKER);
    let older = ["objects", "records", "locks"].iter().all(|name| names.contains(OsStr::new(name)));
    // A file system of its own has it from the start.
    names.remove(OsStr::new("lost+found"));
    // Another run may have made a store of it meanwhile: it begins with the marker.
    if !names.is_empty() && !older && !marker.is_file() {
        return Err(Error::usage(format!("{} is not a store of borg-compose, and it is not empty", root.display()))
            .help("give a new or empty folder with --store or BORG_STORE"));
    }
    fs::create_dir_all(root).at("create", root)?;
    fs::write(&marker, "A store of borg-compose. `borg-compose clean --all` empties it.\n").at("write", &marker)
}

/// Writes a file whole or not at all, as [`Output`] does.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut output = Output::create(path)?;
    output.write_all(bytes).at("write", path)?;
    output.finish()
}

/// Writes what will be the file at `path`, to the disk.
fn fill(mut file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.write_all(bytes).and_then(|()| file.set_permissions(mode)).and_then(|()| file.sync_all()).at("write", path)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).at("remove", path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn another_run_may_make_the_store_while_this_one_looks() {
        let folder = tempfile::tempdir().unwrap();
        let seen = || BTreeSet::from(["objects".into()]);
        assert!(claim(folder.path(), seen()).is_err());
        Store::open(folder.path()).unwrap();
        claim(folder.path(), seen()).unwrap();
    }

    #[test]
    fn whoever_waits_for_a_lock_says_for_what() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let progress = Progress::silent();
        let lock = || store.lock("build-x", "another build of this profile", &progress).unwrap();
        let held = lock();
        assert_eq!(progress.said(), "");
        std::thread::scope(|scope| {
            let second = scope.spawn(lock);
            std::thread::sleep(Duration::from_millis(200));
            assert!(!second.is_finished());
            drop(held);
            drop(second.join().unwrap());
        });
        assert_eq!(progress.said(), "  waiting  for another build of this profile");
        let _shared =
            [store.lock_shared("in-use", &progress).unwrap(), store.lock_shared("in-use", &progress).unwrap()];
        assert!(store.lock_alone("in-use").unwrap_err().to_string().starts_with("a build is using"));
    }
}
