//! A shared store that is a folder: on a network file system, or in a cache that continuous integration brings along.

#![allow(clippy::disallowed_methods, reason = "an edge: a folder that is shared")]

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::wire::Trouble;
use crate::error::{IoContext, Result};
use crate::interrupt::{self, Heeding};
use crate::regular;

/// How much is read at a time.
const CHUNK: u64 = 1 << 20;

#[derive(Debug)]
pub struct Folder(pub PathBuf);

pub struct Body(File);

impl Body {
    pub fn next(&mut self) -> Result<Vec<u8>, Trouble> {
        interrupt::check()?;
        let mut bytes = Vec::new();
        (&self.0).take(CHUNK).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

impl Folder {
    pub fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.0).at("create", &self.0)
    }

    pub fn get(&self, path: &str) -> Result<Body, Trouble> {
        // A network file system that is not mounted, or a slip of the pen: not the same as a store that lacks something.
        if !self.0.is_dir() {
            return Err(Trouble::Failed("is not there".to_owned()));
        }
        regular::open(&self.0.join(path)).map(Body).map_err(failed)
    }

    pub fn size(&self, path: &str) -> Result<u64, Trouble> {
        fs::metadata(self.0.join(path)).map(|meta| meta.len()).map_err(failed)
    }

    pub fn put_file(&self, path: &str, file: &Path) -> Result<(), Trouble> {
        self.write(path, Heeding(File::open(file).at("open", file)?))
    }

    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Trouble> {
        self.write(path, bytes)
    }

    /// Beside its place first, then renamed: others read while this writes, and a killed run leaves what nobody asks for.
    fn write(&self, path: &str, mut from: impl Read) -> Result<(), Trouble> {
        let place = self.0.join(path);
        let folder = place.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::Builder::new().prefix(".partial-").tempfile_in(folder).map_err(failed)?;
        io::copy(&mut from, &mut file).map_err(failed)?;
        let readable = file.as_file().set_permissions(Permissions::from_mode(0o644));
        readable.and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(&place).map(drop).map_err(|e| failed(e.error))
    }
}

fn failed(error: io::Error) -> Trouble {
    if let Err(stopped) = interrupt::check() {
        return Trouble::Local(stopped);
    }
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidInput => {
            Trouble::Missing
        }
        _ => Trouble::Failed(error.to_string()),
    }
}
