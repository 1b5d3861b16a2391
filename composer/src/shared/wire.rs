//! How bytes come from a shared store and go there: one of two kinds of place, with the same few deeds.

use std::path::Path;

use super::folder::{self, Folder};
use super::net::{self, Limits, Net};
use super::place::{Address, Scheme};
use crate::error::{Error, Result};

/// Why a shared store did not do what it was asked. As text: the rest of a sentence that starts with the store.
#[derive(Debug)]
pub enum Trouble {
    /// It does not have it.
    Missing,
    /// It will not say. Some stores answer so for what they do not have.
    Denied,
    /// It does not work: no connection, an error of its own, too slow.
    Failed(String),
    /// What came is not what it is named after.
    Wrong,
    /// Not its fault: the local store cannot be written, or the user asked to stop.
    Local(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Local(error)
    }
}

#[derive(Debug)]
pub enum Wire {
    Folder(Folder),
    Net(Net),
}

/// An answer as it comes in.
pub enum Body {
    File(folder::Body),
    Net(net::Body),
}

impl Body {
    /// The next bytes; none at the end.
    pub fn next(&mut self) -> Result<Vec<u8>, Trouble> {
        match self {
            Body::File(body) => body.next(),
            Body::Net(body) => body.next(),
        }
    }
}

impl Wire {
    pub fn open(address: &Address, limits: Limits) -> Result<Self> {
        match (address.scheme, address.folder()) {
            (Scheme::File, Some(folder)) => Ok(Wire::Folder(Folder(folder.to_owned()))),
            _ => Net::open(address, limits).map(Wire::Net),
        }
    }

    /// True if no network is touched.
    pub fn is_local(&self) -> bool {
        matches!(self, Wire::Folder(_))
    }

    /// Makes the place, if it is a folder.
    pub fn make(&self) -> Result<()> {
        match self {
            Wire::Folder(folder) => folder.make(),
            Wire::Net(_) => Ok(()),
        }
    }

    pub fn get(&self, path: &str) -> Result<Body, Trouble> {
        match self {
            Wire::Folder(folder) => folder.get(path).map(Body::File),
            Wire::Net(net) => net.get(path).map(Body::Net),
        }
    }

    /// The size of what is there.
    pub fn size(&self, path: &str) -> Result<u64, Trouble> {
        match self {
            Wire::Folder(folder) => folder.size(path),
            Wire::Net(net) => net.size(path),
        }
    }

    /// Puts a file there, whole or not at all.
    pub fn put_file(&self, path: &str, file: &Path) -> Result<(), Trouble> {
        match self {
            Wire::Folder(folder) => folder.put_file(path, file),
            Wire::Net(net) => net.put_file(path, file),
        }
    }

    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Trouble> {
        match self {
            Wire::Folder(folder) => folder.put(path, bytes),
            Wire::Net(net) => net.put(path, bytes.to_vec()),
        }
    }
}
