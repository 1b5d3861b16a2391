//! A vendor archive: everything that an image is built from, in one tar or in the folder that it was unpacked into.

#![allow(clippy::disallowed_methods, reason = "an edge: reads and writes vendor archives")]

mod contents;
mod pack;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::digest::Hasher;
use crate::error::IoContext;
use crate::lock::types::LockedPackage;
use crate::progress::{Progress, Task};
use crate::store::Store;
use crate::{Digest, Error, Result, parallel, plain, regular};

pub use contents::{Contents, Entry, deb};
pub use pack::pack;

const THREADS: usize = 4;

/// Packages by hash, from somewhere else. Nothing of it is believed before its hash was seen.
#[derive(Debug)]
pub struct Vendor {
    place: PathBuf,
    holds: Holds,
}

#[derive(Debug)]
enum Holds {
    Folder,
    /// Where in the tar each package starts, and its size.
    Tar {
        debs: HashMap<Digest, (u64, u64)>,
        /// Why not all of it could be read.
        fault: Option<String>,
    },
}

/// A package that the archive has.
struct Held<'p> {
    package: &'p LockedPackage,
    start: u64,
    size: u64,
}

impl Vendor {
    /// Opens the tar, or the folder that it was unpacked into.
    pub fn open(place: &Path) -> Result<Self> {
        let metadata = fs::metadata(place).map_err(|e| {
            Error::input(format!("cannot open the vendor archive {}", place.display()))
                .because(&e)
                .help("give the tar that `borg-compose vendor` wrote, or the folder that it was unpacked into")
        })?;
        let holds = if metadata.is_dir() { folder(place)? } else { tar(place, metadata.is_file())? };
        Ok(Vendor { place: place.to_owned(), holds })
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Gives the store those of `packages` that it lacks and that are here; answers with what was wrong with the others.
    pub fn supply(&self, packages: &[&LockedPackage], store: &Store, progress: &Progress) -> Result<Vec<String>> {
        let lacking: Vec<&LockedPackage> = packages.iter().copied().filter(|p| !store.contains(&p.sha256)).collect();
        let held: Vec<Held<'_>> = lacking.iter().filter_map(|package| self.find(package)).collect();
        let task = progress.bytes("vendor", held.iter().map(|h| h.size).sum());
        let outcomes = parallel::map(&held, THREADS, |held| self.hand_over(held, store, &task));
        task.finish();
        let mut wrong: Vec<String> = outcomes?.into_iter().flatten().collect();
        let taken = held.len() - wrong.len();
        if taken > 0 {
            progress.say("vendor", &format!("{taken} packages taken from {}", self.place.display()));
        }
        if let (Holds::Tar { fault: Some(fault), .. }, true) = (&self.holds, taken < lacking.len()) {
            wrong.push(fault.clone());
        }
        for line in &wrong {
            progress.say("vendor", &plain::line(line));
        }
        Ok(wrong)
    }

    fn find<'p>(&self, package: &'p LockedPackage) -> Option<Held<'p>> {
        let (start, size) = match &self.holds {
            Holds::Folder => {
                // Asked before opening: opening a FIFO would wait for a writer.
                let metadata = fs::metadata(self.place.join(deb(&package.sha256))).ok()?;
                (0, metadata.is_file().then_some(metadata.len())?)
            }
            Holds::Tar { debs, .. } => *debs.get(&package.sha256)?,
        };
        Some(Held { package, start, size })
    }

    /// Copies one package into the store, or says why not.
    fn hand_over(&self, held: &Held<'_>, store: &Store, task: &Task) -> Result<Option<String>> {
        let Held { package, start, size } = held;
        let wrong = |what: &str| {
            Ok(Some(format!("{} has no whole {} {}: {what}", self.place.display(), package.name, package.version)))
        };
        if *size != package.size {
            return wrong(&format!("{size} bytes, and the lock says {}", package.size));
        }
        let mut file = store.temporary()?;
        let read = match self.open_at(package, *start) {
            Ok(from) => receive(from.take(*size), &mut file, task)?,
            Err(e) => Err(e),
        };
        match read {
            Ok(digest) if digest == package.sha256 => store.adopt(file, &package.sha256).map(|_| None),
            Ok(_) => wrong("the bytes are not those that the lock names"),
            Err(e) => wrong(&e.to_string()),
        }
    }

    fn open_at(&self, package: &LockedPackage, start: u64) -> io::Result<File> {
        let mut file = match self.holds {
            Holds::Folder => regular::open(&self.place.join(deb(&package.sha256)))?,
            Holds::Tar { .. } => regular::open(&self.place)?,
        };
        file.seek(SeekFrom::Start(start))?;
        Ok(file)
    }
}

/// Copies a stream and hashes it. That it cannot be read is one thing, that the copy cannot be written another.
fn receive(mut from: impl Read, to: &mut NamedTempFile, task: &Task) -> Result<io::Result<Digest>> {
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 128 << 10]);
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => return Ok(Ok(hasher.finish())),
            Ok(got) => buffer.get(..got).unwrap_or_default(),
            Err(e) => return Ok(Err(e)),
        };
        hasher.update(bytes);
        to.write_all(bytes).at("write", to.path())?;
        task.add(bytes.len() as u64);
    }
}

fn folder(place: &Path) -> Result<Holds> {
    if place.join(contents::DEBS).is_dir() {
        return Ok(Holds::Folder);
    }
    Err(Error::input(format!("{} is no unpacked vendor archive: it has no folder `debs`", place.display()))
        .help("give the tar that `borg-compose vendor` wrote, or the folder that it was unpacked into"))
}

/// Notes where the packages are in a tar; it is read on to where it stops making sense.
fn tar(place: &Path, is_file: bool) -> Result<Holds> {
    let useless = |why: &str| {
        Error::input(format!("{} is no vendor archive: {why}", place.display()))
            .help("give the uncompressed tar that `borg-compose vendor` wrote, or the folder that it was unpacked into")
    };
    if !is_file {
        return Err(useless("it is no regular file"));
    }
    let file = File::open(place).at("open", place)?;
    let length = file.metadata().at("read", place)?.len();
    let mut debs = HashMap::new();
    let fault =
        index(file, length, &mut debs).err().map(|e| format!("{} cannot be read to its end: {e}", place.display()));
    match (debs.is_empty(), fault) {
        (true, Some(fault)) => Err(useless("it is no tar").detail(fault)),
        (true, None) => Err(useless("there are no packages in it")),
        (false, fault) => Ok(Holds::Tar { debs, fault }),
    }
}

fn index(file: File, length: u64, debs: &mut HashMap<Digest, (u64, u64)>) -> io::Result<()> {
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let (start, size) = (entry.raw_file_position(), entry.size());
        if start.checked_add(size).is_none_or(|end| end > length) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends early"));
        }
        if entry.header().entry_type().is_file()
            && let Some(digest) = entry.path()?.to_str().and_then(contents::digest_of)
        {
            debs.insert(digest, (start, size));
        }
    }
    Ok(())
}
