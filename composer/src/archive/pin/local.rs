//! Packages that are files here: the runtime's own.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::Digest;
use crate::archive::control::Paragraph;
use crate::archive::deb;
use crate::error::{IoContext, Result};

/// A .deb on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDeb {
    pub path: PathBuf,
    pub control: Paragraph,
    pub size: u64,
    pub sha256: Digest,
}

impl LocalDeb {
    /// Reads a .deb's control file, size and hash.
    pub fn read(path: &Path) -> Result<Self> {
        let control = deb::control(path)?;
        let file = File::open(path).at("open", path)?;
        let size = file.metadata().at("read", path)?.len();
        let sha256 = Digest::of_reader(file).at("read", path)?;
        Ok(LocalDeb { path: path.to_owned(), control, size, sha256 })
    }

    pub fn name(&self) -> &str {
        self.control.get("Package").unwrap_or_default()
    }

    pub fn filename(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
