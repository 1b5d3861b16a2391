//! A store that teams share: layers, packages and tools by hash, and signed records of who made which layer.
//!
//! Nothing from there is believed for where it lies: objects are hashed while they come in, and what a layer's key stands
//! for is taken from the lock or from a record that a trusted key signed. So a store that lies or breaks costs time only.

#![allow(clippy::disallowed_methods, reason = "an edge: writes the local store")]

mod folder;
pub mod keys;
mod net;
pub mod place;
pub mod record;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ssh_key::PublicKey;

use crate::digest::Hasher;
use crate::error::{IoContext, Result};
use crate::lock::types::Output;
use crate::progress::{Progress, Task};
use crate::store::Store;
use crate::{Digest, Error, parallel};
use net::Limits;

pub use keys::{SignKey, Trust};
pub use place::{Address, Places};
use wire::{Body, Trouble, Wire};

/// A store that gives wrong bytes, or refuses, so many times with nothing good between is left alone.
const STRIKES: u32 = 4;

/// The largest record of a layer; most of it are the names of its folders.
pub const RECORD_LIMIT: u64 = 32 << 20;

#[derive(Debug)]
pub struct Shared {
    place: String,
    wire: Wire,
    progress: Progress,
    /// Why it is left alone for the rest of the run.
    closed: Mutex<Option<String>>,
    strikes: AtomicU32,
    /// It was said that it refuses things.
    refused: AtomicBool,
    /// Objects that came with other bytes.
    wrong: Mutex<BTreeSet<Digest>>,
}

impl Shared {
    pub fn open(address: &Address, progress: &Progress) -> Result<Self> {
        Self::with(address, Limits::default(), progress)
    }

    fn with(address: &Address, limits: Limits, progress: &Progress) -> Result<Self> {
        Ok(Shared {
            place: address.url.clone(),
            wire: Wire::open(address, limits)?,
            progress: progress.clone(),
            closed: Mutex::default(),
            strikes: AtomicU32::new(0),
            refused: AtomicBool::new(false),
            wrong: Mutex::default(),
        })
    }

    /// Its address, without a password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// True if no network is touched.
    pub fn is_local(&self) -> bool {
        self.wire.is_local()
    }

    /// Sees to it that there is a place to push to; what is behind a network is somebody else's to make.
    pub fn make(&self) -> Result<()> {
        self.wire.make()
    }

    /// Brings objects of these sizes into the local store, `at_once` at a time; says of each whether it came.
    pub fn pull_all(&self, objects: &[Output], at_once: usize, store: &Store) -> Result<Vec<bool>> {
        let task = self.progress.bytes("pull", objects.iter().map(|object| object.size).sum());
        let came = parallel::map(objects, at_once, |object| self.pull(&object.sha256, object.size, store, &task));
        task.finish();
        came
    }

    /// Brings an object of `size` bytes into the local store; false if there is none to be had. Fails for local faults only.
    pub fn pull(&self, digest: &Digest, size: u64, store: &Store, task: &Task) -> Result<bool> {
        let got = self.ask(&object(digest), |body| receive(body, digest, size, store, task))?;
        Ok(got.is_some())
    }

    /// A layer's record, which is an object too.
    pub fn layer_record(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        self.ask(&object(digest), |body| {
            let bytes = whole(body, RECORD_LIMIT)?;
            if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(Trouble::Wrong) }
        })
    }

    /// The digest of the layer's record that `signer` vouches for.
    pub fn signed(&self, kind: &str, key: &Digest, signer: &PublicKey) -> Result<Option<Digest>> {
        let path = record::path(key, signer);
        let Some(bytes) = self.ask(&path, |body| whole(body, record::LIMIT))? else { return Ok(None) };
        match record::read(&bytes, kind, key, signer) {
            Ok(digest) => Ok(Some(digest)),
            Err(fault) => {
                self.say(&format!("the record {path} is not believed: {fault}"));
                Ok(None)
            }
        }
    }

    /// Puts an object there unless it is there; true if it was put. What came with other bytes is put again.
    pub fn push(&self, digest: &Digest, file: &Path) -> Result<bool> {
        let size = std::fs::metadata(file).at("read", file)?.len();
        let path = object(digest);
        self.offer(digest, &path, size, || self.wire.put_file(&path, file))
    }

    /// The same for what is in memory.
    pub fn push_bytes(&self, bytes: &[u8]) -> Result<bool> {
        let digest = Digest::of(bytes);
        let path = object(&digest);
        self.offer(&digest, &path, bytes.len() as u64, || self.wire.put(&path, bytes))
    }

    fn offer(&self, digest: &Digest, path: &str, size: u64, put: impl Fn() -> Result<(), Trouble>) -> Result<bool> {
        let wrong = self.wrong.lock().is_ok_and(|wrong| wrong.contains(digest));
        match self.wire.size(path) {
            Ok(there) if there == size && !wrong => return Ok(false),
            Ok(_) | Err(Trouble::Missing | Trouble::Denied) => {}
            Err(trouble) => return Err(self.unpushed(trouble)),
        }
        put().map(|()| true).map_err(|trouble| self.unpushed(trouble))
    }

    /// Puts a signed record in its place.
    pub fn push_record(&self, statement: &record::Statement, key: &SignKey) -> Result<()> {
        let signed =
            statement.sign(key.private()).map_err(|e| Error::internal("a record cannot be signed").because(&e))?;
        let path = record::path(&statement.key, key.public());
        self.wire.put(&path, &signed).map_err(|trouble| self.unpushed(trouble))
    }

    fn unpushed(&self, trouble: Trouble) -> Error {
        let why = match trouble {
            Trouble::Local(error) => return error,
            Trouble::Failed(why) => why,
            Trouble::Denied => "refuses to take it".to_owned(),
            Trouble::Missing => "has no such place".to_owned(),
            Trouble::Wrong => "has other bytes".to_owned(),
        };
        Error::network(format!("nothing can be pushed: {} {why}", self.place))
            .help("look at the address, and at the rights of the keys in the environment")
    }

    /// Gets something and has `take` take it; none if that comes to nothing, which is said where it should not be.
    fn ask<T>(&self, path: &str, take: impl FnOnce(Body) -> Result<T, Trouble>) -> Result<Option<T>> {
        if self.closed.lock().map_or(true, |closed| closed.is_some()) {
            return Ok(None);
        }
        match self.wire.get(path).and_then(take) {
            Ok(got) => {
                self.strikes.store(0, Ordering::Relaxed);
                return Ok(Some(got));
            }
            Err(Trouble::Local(error)) => return Err(error),
            Err(Trouble::Missing) => {}
            Err(Trouble::Failed(why)) => self.close(&why),
            Err(Trouble::Denied) => {
                if !self.refused.swap(true, Ordering::Relaxed) {
                    self.say("refuses some of what it is asked for, or hides that it lacks it");
                }
                self.strike("refuses what it is asked for");
            }
            Err(Trouble::Wrong) => {
                self.say(&format!("has other bytes under {path}"));
                let digest = path.rsplit('/').next().and_then(|name| name.parse().ok());
                if let (Ok(mut wrong), Some(digest)) = (self.wrong.lock(), digest) {
                    wrong.insert(digest);
                }
                self.strike("has other bytes again and again");
            }
        }
        Ok(None)
    }

    fn strike(&self, why: &str) {
        if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
            self.close(why);
        }
    }

    /// Leaves it alone for the rest of the run, and says so once.
    fn close(&self, why: &str) {
        let Ok(mut closed) = self.closed.lock() else { return };
        if closed.is_none() {
            self.say(&format!("{why}; it is left alone for the rest of this run"));
            *closed = Some(why.to_owned());
        }
    }

    fn say(&self, text: &str) {
        self.progress.say("shared", &format!("{} {text}", self.place));
    }
}

/// Where an object lies, as in the local store.
fn object(digest: &Digest) -> String {
    let name = digest.to_string();
    format!("objects/{}/{name}", &name[..2])
}

/// Takes at most `limit` bytes.
fn whole(mut body: Body, limit: u64) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    loop {
        let more = body.next()?;
        if more.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&more);
        if bytes.len() as u64 > limit {
            return Err(Trouble::Wrong);
        }
    }
}

/// Takes an object into the local store, if it is the one; never more of it than it has.
fn receive(mut body: Body, digest: &Digest, size: u64, store: &Store, task: &Task) -> Result<(), Trouble> {
    let mut file = store.temporary()?;
    let (mut hasher, mut length) = (Hasher::default(), 0);
    let attempt = task.attempt();
    loop {
        let bytes = body.next()?;
        if bytes.is_empty() {
            break;
        }
        length += bytes.len() as u64;
        if length > size {
            return Err(Trouble::Wrong);
        }
        hasher.update(&bytes);
        file.write_all(&bytes).at("write", file.path())?;
        attempt.add(bytes.len() as u64);
    }
    if length != size || hasher.finish() != *digest {
        return Err(Trouble::Wrong);
    }
    let place = store.adopt(file, digest)?;
    store.stamp(&place, *digest)?;
    attempt.keep();
    Ok(())
}
