//! Reads and writes lock files: TOML, in a fixed order, so that a change reads well in a diff.

#![allow(clippy::disallowed_methods, reason = "an edge: the lock file")]

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::types::{FORMAT, Lock};
use crate::error::{IoContext, Result};
use crate::{Error, store};

/// A lock of a thousand packages is 400 kB.
const LIMIT: u64 = 32 << 20;

const HEADER: &str =
    "# Made by borg-compose: every package of the image by version and hash. Commit it; do not edit it.\n";

/// Reads a lock; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Lock>> {
    let mut text = String::new();
    let file = match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.at("open", path)?,
    };
    file.take(LIMIT + 1).read_to_string(&mut text).at("read", path)?;
    if text.len() as u64 > LIMIT {
        return Err(Error::input(format!("{} is larger than {} MiB, so it is no lock", path.display(), LIMIT >> 20)));
    }
    parse(&text).map(Some).map_err(|fault| {
        Error::input(format!("{} is not a lock that can be read", path.display()))
            .detail(fault)
            .help("remove it and run `borg-compose lock`, or take it back from version control")
    })
}

/// Writes a lock whole or not at all.
pub fn write(path: &Path, lock: &Lock) -> Result<()> {
    store::write_atomically(path, render(lock)?.as_bytes())
}

/// The lock as text.
pub fn render(lock: &Lock) -> Result<String> {
    let text = toml::to_string(lock).map_err(|e| Error::internal("the lock cannot be written").because(&e))?;
    Ok(format!("{HEADER}{text}"))
}

/// Parses a lock; the error says what is wrong, with the line.
pub fn parse(text: &str) -> Result<Lock, String> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let wrong = |e: toml::de::Error| {
        let line = e.span().map(|span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
        line.map_or_else(|| e.message().to_owned(), |line| format!("line {line}: {}", e.message()))
    };
    // The number is read first: a newer format may have other fields.
    let Format { format } = toml::from_str(text).map_err(wrong)?;
    if format != FORMAT {
        return Err(format!("it has format {format}; this borg-compose reads format {FORMAT}"));
    }
    toml::from_str(text).map_err(wrong)
}
