//! Writes a vendor archive: the same bytes for the same contents.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::{Contents, Entry};
use crate::digest::Hasher;
use crate::error::IoContext;
use crate::progress::Task;
use crate::store::{Output, Store};
use crate::{Digest, Error, Result, interrupt};

/// Writes the archive whole or not at all. Its files are root's and have the time `epoch`; an object whose bytes are not
/// those of its name is an error.
pub fn pack(contents: &Contents, epoch: u64, store: &Store, to: &Path, task: &Task) -> Result<()> {
    let mut output = Output::create(to)?;
    let mut tar = Builder::new(BufWriter::with_capacity(1 << 20, &mut output));
    for (path, entry) in contents {
        if interrupt::asked() {
            return Err(Error::interrupted("interrupted"));
        }
        task.add(add(&mut tar, path, entry, epoch, store, to)?);
    }
    tar.into_inner().and_then(|mut out| out.flush()).at("write", to)?;
    output.finish()
}

fn size(entry: &Entry, store: &Store) -> Result<u64> {
    match entry {
        Entry::Bytes(bytes) => Ok(bytes.len() as u64),
        Entry::Object(digest) => {
            let place = store.object(digest);
            fs::metadata(&place).at("read", &place).map(|m| m.len())
        }
    }
}

/// Adds one file, and answers with its size.
fn add<W: Write>(tar: &mut Builder<W>, path: &str, entry: &Entry, epoch: u64, store: &Store, to: &Path) -> Result<u64> {
    let size = size(entry, store)?;
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(epoch);
    header.set_size(size);
    match entry {
        Entry::Bytes(bytes) => tar.append_data(&mut header, path, bytes.as_slice()).at("write", to)?,
        Entry::Object(digest) => {
            let place = store.object(digest);
            let from = File::open(&place).at("open", &place)?;
            let mut seen = Seen { from, hasher: Hasher::default() };
            tar.append_data(&mut header, path, &mut seen).at("write", to)?;
            same(seen.hasher.finish(), digest, store)?;
        }
    }
    Ok(size)
}

/// It was whole a moment ago, so this is a failing disk, or somebody who writes into the store.
fn same(seen: Digest, named: &Digest, store: &Store) -> Result<()> {
    if seen == *named {
        return Ok(());
    }
    store.discard(named)?;
    Err(Error::host(format!("{} changed while it was read", store.object(named).display()))
        .help("it was removed from the store: run it again, and it is fetched anew"))
}

/// Hashes what is read from it.
struct Seen {
    from: File,
    hasher: Hasher,
}

impl Read for Seen {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        self.hasher.update(buffer.get(..got).unwrap_or_default());
        Ok(got)
    }
}
