//! Downloads that go on where they were cut, and are checked while they come in.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::client::Body;
use super::{Client, Failure};
use crate::digest::Hasher;
use crate::error::{IoContext, Result};
use crate::progress::{Attempt, Task};
use crate::store::Store;
use crate::{Digest, Error};

/// A file by its signed size and hash.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Below the mirror.
    pub path: &'a str,
    pub size: u64,
    pub sha256: Digest,
}

/// The part of a file that is there already.
struct Partial {
    place: PathBuf,
    file: File,
    hasher: Hasher,
    length: u64,
}

impl Client {
    /// Downloads a file into the store; what came in before a cut is kept and used the next time.
    pub fn download(&self, mirror: &str, wanted: &Wanted<'_>, store: &Store, task: &Task) -> Result<PathBuf, Failure> {
        let partial = Partial::open(store, wanted)?;
        let resumed = partial.length > 0;
        match self.complete(mirror, wanted, partial, store, task) {
            // The bad bytes may be another mirror's, from before: this one gets a chance of its own.
            Err(Failure::WrongBytes(_)) if resumed => {
                self.complete(mirror, wanted, Partial::open(store, wanted)?, store, task)
            }
            other => other,
        }
    }

    fn complete(
        &self,
        mirror: &str,
        wanted: &Wanted<'_>,
        mut partial: Partial,
        store: &Store,
        task: &Task,
    ) -> Result<PathBuf, Failure> {
        let attempt = task.attempt();
        if partial.length < wanted.size {
            let body = self.get(mirror, wanted.path, partial.length)?;
            if body.start != partial.length {
                partial.restart()?;
            }
            attempt.add(partial.length);
            partial.receive(body, wanted.size, &attempt)?;
        }
        let path = partial.finish(wanted, store)?;
        attempt.keep();
        Ok(path)
    }
}

impl Partial {
    fn open(store: &Store, wanted: &Wanted<'_>) -> Result<Self> {
        let folder = store.root().join("partial");
        fs::create_dir_all(&folder).at("create", &folder)?;
        let place = folder.join(wanted.sha256.to_string());
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&place).at("open", &place)?;
        let mut hasher = Hasher::default();
        let length = std::io::copy(&mut file, &mut hasher).at("read", &place)?;
        let mut partial = Partial { place, file, hasher, length };
        if length > wanted.size {
            partial.restart()?;
        }
        Ok(partial)
    }

    fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).at("write", &self.place)?;
        self.file.seek(SeekFrom::Start(0)).at("write", &self.place)?;
        self.hasher = Hasher::default();
        self.length = 0;
        Ok(())
    }

    fn receive(&mut self, mut body: Body, size: u64, attempt: &Attempt<'_>) -> Result<(), Failure> {
        while self.length <= size {
            let bytes = body.next()?;
            if bytes.is_empty() {
                break;
            }
            self.length += bytes.len() as u64;
            self.hasher.update(&bytes);
            self.file.write_all(&bytes).at("write", &self.place)?;
            attempt.add(bytes.len() as u64);
        }
        if self.length < size {
            return Err(Failure::Cut(format!("{} of {size} bytes came", self.length)));
        }
        Ok(())
    }

    fn finish(self, wanted: &Wanted<'_>, store: &Store) -> Result<PathBuf, Failure> {
        if self.length != wanted.size || self.hasher.finish() != wanted.sha256 {
            remove(&self.place)?;
            return Err(Failure::WrongBytes(wanted.path.to_owned()));
        }
        let path = TempPath::try_from_path(&self.place).map_err(|e| Error::internal(e.to_string()))?;
        Ok(store.adopt(NamedTempFile::from_parts(self.file, path), &wanted.sha256)?)
    }
}

fn remove(place: &Path) -> Result<()> {
    fs::remove_file(place).at("remove", place)
}
