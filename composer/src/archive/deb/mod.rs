//! Reads .deb files: an `ar` archive of `debian-binary`, `control.tar.*` and `data.tar.*`.

#![allow(clippy::disallowed_methods, reason = "an edge: unpacks files of the store")]

mod repack;
#[cfg(test)]
#[allow(clippy::missing_panics_doc)]
pub mod tests;
mod unpack;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::control::{Paragraph, paragraphs};
use crate::error::{Error, IoContext, Result};
use crate::interrupt::Heeding;

pub use repack::repack;
pub use unpack::unpack;

/// Larger control members than this are no control members.
const CONTROL_LIMIT: u64 = 64 << 20;

/// The control file of a .deb.
pub fn control(deb: &Path) -> Result<Paragraph> {
    let file = File::open(deb).at("open", deb)?;
    control_of(BufReader::new(file)).map_err(|e| broken(deb, &e))
}

/// The control file of a .deb that is read from `reader`.
pub fn control_of(reader: impl Read) -> io::Result<Paragraph> {
    let mut found = None;
    control_members(reader, |name, text| {
        if name == "control" {
            found = paragraphs(&String::from_utf8_lossy(text)).into_iter().next();
        }
    })?;
    found.ok_or_else(|| invalid("no control file, or an empty one"))
}

/// Tells `see` the name and the bytes of each file in the control archive of a .deb: `control`, `postinst`, `triggers`, …
pub fn control_members(reader: impl Read, mut see: impl FnMut(&str, &[u8])) -> io::Result<()> {
    with_member(reader, "control.tar", |tar| {
        let mut archive = tar::Archive::new(tar.take(CONTROL_LIMIT));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?;
            let name = path.strip_prefix(".").unwrap_or(&path).to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            see(&name, &bytes);
        }
        Ok(())
    })
}

/// Hands the decompressed data.tar of a .deb to `take`.
pub fn data_tar<T>(reader: impl Read, take: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
    with_member(reader, "data.tar", take)
}

fn with_member<T>(reader: impl Read, stem: &str, take: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
    let mut archive = ar::Archive::new(reader);
    while let Some(member) = archive.next_entry() {
        let member = member?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let Some(suffix) = name.trim_end_matches('/').strip_prefix(stem) else { continue };
        return take(&mut *decompressor(suffix, member)?);
    }
    Err(invalid(&format!("no member {stem}")))
}

fn decompressor<'a>(suffix: &str, member: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let input = BufReader::with_capacity(256 << 10, Heeding(member));
    Ok(match suffix {
        ".xz" => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input)),
        ".zst" => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
        ".gz" => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        "" => Box::new(input),
        other => return Err(invalid(&format!("compressed as `{other}`, which is not known"))),
    })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn broken(deb: &Path, cause: &io::Error) -> Error {
    Error::package(format!("cannot read the package {}", deb.display())).because(cause)
}
