//! Packages that are files here: the runtime's own.

#![allow(clippy::disallowed_methods, reason = "an edge: reads .deb files")]

use std::fs::File;
use std::path::Path;

use crate::Digest;
use crate::archive::control::Paragraph;
use crate::archive::deb;
use crate::error::{IoContext, Result};

/// A .deb on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDeb {
    /// `NAME_VERSION_ARCHITECTURE.deb`.
    pub filename: String,
    pub control: Paragraph,
    pub size: u64,
    pub sha256: Digest,
}

impl LocalDeb {
    /// Reads the control file, size and hash of the .deb at `path`, which is to be called `filename`.
    pub fn read(path: &Path, filename: &str) -> Result<Self> {
        let control = deb::control(path)?;
        let file = File::open(path).at("open", path)?;
        let size = file.metadata().at("read", path)?.len();
        let sha256 = Digest::of_reader(file).at("read", path)?;
        Ok(LocalDeb { filename: filename.to_owned(), control, size, sha256 })
    }

    pub fn name(&self) -> &str {
        self.control.get("Package").unwrap_or_default()
    }
}
