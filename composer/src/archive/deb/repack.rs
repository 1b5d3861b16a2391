//! Writes a .deb anew with its data compressed by zstd, which unpacks ten times as fast as xz does.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{broken, data_tar};
use crate::error::{IoContext, Result};

/// The fastest of the ordinary levels: the file lives in a store, not on a mirror.
const LEVEL: i32 = 1;

/// Writes `deb` with other compression to `out`; `see` is told each path of its data, without a leading `./`, and may read
/// what lies there. `scratch` is an empty file for what lies in between.
///
/// dpkg takes it as it takes the first one: deb(5) allows zstd for data.tar.
pub fn repack(
    deb: &Path,
    scratch: &mut File,
    out: &mut File,
    see: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> Result<()> {
    let file = File::open(deb).at("open", deb)?;
    write(BufReader::new(file), scratch, out, see).map_err(|e| broken(deb, &e))
}

fn write(
    mut deb: impl Read + Seek,
    data: &mut File,
    out: &mut File,
    see: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut builder = ar::Builder::new(BufWriter::new(out));
    let mut archive = ar::Archive::new(&mut deb);
    while let Some(member) = archive.next_entry() {
        let member = member?;
        let name = member.header().identifier().to_vec();
        if name.starts_with(b"data.tar") {
            break;
        }
        let header = ar::Header::new(name, member.header().size());
        builder.append(&header, member)?;
    }
    deb.seek(SeekFrom::Start(0))?;
    data_tar(&mut deb, |tar| compress(tar, data, see))?;
    let size = data.stream_position()?;
    data.seek(SeekFrom::Start(0))?;
    builder.append(&ar::Header::new(b"data.tar.zst".to_vec(), size), data)?;
    builder.into_inner()?.flush()
}

/// Compresses all of `tar` into `out`, showing `see` the files on the way.
fn compress(
    tar: &mut dyn Read,
    out: &mut File,
    mut see: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut encoder = zstd::stream::write::Encoder::new(BufWriter::new(out), LEVEL)?;
    encoder.include_checksum(true)?;
    let mut tee = Tee { from: tar, to: &mut encoder };
    let mut archive = tar::Archive::new(&mut tee);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?;
        let path = path.strip_prefix("./").unwrap_or(&path).to_string_lossy().into_owned();
        see(&path, &mut entry)?;
    }
    // What follows the last entry.
    io::copy(&mut tee, &mut io::sink())?;
    encoder.finish()?.flush()
}

/// Hands on what it reads, after writing it elsewhere.
struct Tee<'a, W: Write> {
    from: &'a mut dyn Read,
    to: &'a mut W,
}

impl<W: Write> Read for Tee<'_, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        self.to.write_all(buffer.get(..got).unwrap_or_default())?;
        Ok(got)
    }
}
