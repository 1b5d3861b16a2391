//! Reads and writes lock files: TOML, in a fixed order, so that a change reads well in a diff.

use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::Deserialize;

use super::types::{FORMAT, Lock, PackageLayer};
use crate::error::{IoContext, Result};
use crate::{Error, regular, store};

/// A lock of a thousand packages is 400 kB.
const LIMIT: u64 = 32 << 20;

/// No package or layer has more bytes; sums and products of such do not overflow.
const LARGEST: u64 = 1 << 40;

const HEADER: &str =
    "# Made by borg-compose: every package of the image by version and hash. Commit it; do not edit it.\n";

/// Reads a lock; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Lock>> {
    let unreadable = |fault: String| {
        Error::input(format!("{} is not a lock that can be read", path.display()))
            .detail(fault)
            .help("remove it and run `borg-compose lock`, or take it back from version control")
    };
    let file = match regular::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) if [ErrorKind::IsADirectory, ErrorKind::InvalidInput].contains(&e.kind()) => {
            return Err(unreadable(e.to_string()));
        }
        other => other.at("open", path)?,
    };
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).at("read", path)?;
    if bytes.len() as u64 > LIMIT {
        return Err(unreadable(format!("it is larger than {} MiB", LIMIT >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|e| unreadable(e.to_string()))?;
    parse(&text).and_then(sound).map(Some).map_err(unreadable)
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

/// What no lock of this program lacks: a hand or a bad merge took it away.
fn sound(lock: Lock) -> Result<Lock, String> {
    if u32::try_from(lock.epoch).is_err() {
        return Err(format!("its epoch {} does not fit into 32 bits", lock.epoch));
    }
    let parts = lock.packages.iter().chain(&lock.tools).chain(&lock.sysroot).map(|p| (&p.name, p.size));
    let outputs = lock.outputs.iter().flat_map(|outputs| outputs.layers.iter().map(|layer| (&layer.name, layer.size)));
    if let Some((name, size)) = parts.chain(outputs).find(|(_, size)| *size > LARGEST) {
        return Err(format!("it says that {name} has {size} bytes"));
    }
    let essential = lock.packages.iter().any(|p| p.layer == Some(PackageLayer::Essential));
    let tools = lock.tools.iter().any(|t| t.group.as_deref() == Some("build"));
    match (essential, tools) {
        (true, true) => Ok(lock),
        (false, _) => Err("it names no essential packages".to_owned()),
        (_, false) => Err("it names no tools to build with".to_owned()),
    }
}
