//! Reading files. However large they are, a bounded part is held.

use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cap_std::fs::File;
use memchr::memchr_iter;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde_json::json;

use crate::answer::{Answer, FILE_LIMIT};
use crate::fault::Fault;
use crate::roots::Roots;

/// Which part of a text is asked for, in lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    Head(usize),
    Tail(usize),
}

pub fn text(roots: &Roots, path: &str, part: Part) -> Result<String, Fault> {
    let (file, metadata, _) = roots.open_file(path)?;
    let bytes = match part {
        Part::Whole => whole(&file, path, metadata.len())?,
        Part::Head(count) => head(&file, count, path)?,
        Part::Tail(count) => tail(file, count, path)?,
    };
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
    })
}

/// Everything, if that is not too much. A file may grow while it is read, so its length alone bounds nothing.
pub fn whole(file: &File, path: &str, size: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    if size <= FILE_LIMIT {
        // One more, for the read that finds the end.
        bytes.reserve_exact(usize::try_from(size).unwrap_or(0) + 1);
        file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(|e| Fault::io(path, &e))?;
    }
    if size.max(bytes.len() as u64) > FILE_LIMIT {
        return Err(Fault::new(format!(
            "{path}: {} bytes are more than the {FILE_LIMIT} read at once; {PARTS}",
            size.max(bytes.len() as u64)
        )));
    }
    Ok(bytes)
}

const PARTS: &str = "ask for its first or last lines (head, tail), or use read_byte_range";

fn long_lines(path: &str) -> Fault {
    Fault::new(format!("{path}: these lines are more than the {FILE_LIMIT} bytes read at once; use read_byte_range"))
}

const CHUNK: usize = 64 * 1024;

/// The first lines, without the last one's line feed.
fn head(mut file: &File, count: usize, path: &str) -> Result<Vec<u8>, Fault> {
    let (mut bytes, mut lines) = (Vec::new(), 0);
    let mut chunk = vec![0; CHUNK];
    while bytes.len() as u64 <= FILE_LIMIT {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => chunk.get(..read).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Fault::io(path, &e)),
        };
        for line in read.split_inclusive(|b| *b == b'\n') {
            bytes.extend_from_slice(line);
            lines += usize::from(line.ends_with(b"\n"));
            if lines == count {
                bytes.pop();
                return Ok(bytes);
            }
        }
    }
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(long_lines(path));
    }
    // What follows the last line feed is a line only if there is something.
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    Ok(bytes)
}

/// The last lines, with `\n` for `\r\n`. After a line feed at the end comes one more line, an empty one; the reference
/// server counts like that.
fn tail(mut file: File, count: usize, path: &str) -> Result<Vec<u8>, Fault> {
    let size = file.seek(SeekFrom::End(0)).map_err(|e| Fault::io(path, &e))?;
    let file = file.into_std();
    let mut start = size;
    let mut bytes = Vec::new();
    while start > 0 && memchr_iter(b'\n', &bytes).count() < count {
        if bytes.len() as u64 >= FILE_LIMIT {
            return Err(long_lines(path));
        }
        let more = start.min((bytes.len() as u64).max(CHUNK as u64));
        start -= more;
        // Read anew, in growing steps: at most twice as much as is needed.
        bytes = vec![0; usize::try_from(size - start).unwrap_or(0)];
        let got = read_at(&file, &mut bytes, start).map_err(|e| Fault::io(path, &e))?;
        bytes.truncate(got);
    }
    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    let last = lines.get(lines.len().saturating_sub(count)..).unwrap_or_default();
    let unix = last.iter().enumerate().map(|(n, line)| match line.strip_suffix(b"\r") {
        Some(bare) if n + 1 < last.len() => bare,
        _ => line,
    });
    Ok(unix.collect::<Vec<_>>().join(&b'\n'))
}

fn read_at(file: &std::fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// The most that one byte range holds.
pub const RANGE_LIMIT: u64 = 1024 * 1024;

pub fn range(roots: &Roots, path: &str, offset: u64, length: u64) -> Result<Answer, Fault> {
    if length == 0 || length > RANGE_LIMIT {
        return Err(Fault::new(format!("length {length}: must be from 1 to {RANGE_LIMIT}")));
    }
    let (file, metadata, _) = roots.open_file(path)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    // Beyond what an offset can be there is nothing, as there is beyond the end.
    let got = if i64::try_from(offset.saturating_add(length)).is_ok() {
        read_at(&file.into_std(), &mut bytes, offset).map_err(|e| Fault::io(path, &e))?
    } else {
        0
    };
    bytes.truncate(got);
    let (content, encoding) = match String::from_utf8(bytes) {
        Ok(text) => (text, "utf-8"),
        Err(e) => (BASE64_STANDARD.encode(e.as_bytes()), "base64"),
    };
    let structured =
        json!({"content": content, "encoding": encoding, "offset": offset, "length": got, "size": metadata.len()});
    Ok(Answer::Rich(content, structured))
}

pub fn media(roots: &Roots, path: &str) -> Result<Answer, Fault> {
    let (file, metadata, located) = roots.open_file(path)?;
    let data = BASE64_STANDARD.encode(whole(&file, path, metadata.len())?);
    let real = located.real(&file);
    let mime = mime(&real);
    let kind = mime.split_once('/').map(|(kind, _)| kind).filter(|kind| ["image", "audio"].contains(kind));
    Ok(Answer::Media(if let Some(kind) = kind {
        json!({"type": kind, "data": data, "mimeType": mime})
    } else {
        json!({"type": "resource", "resource": {"uri": file_uri(&real), "mimeType": mime, "blob": data}})
    }))
}

pub fn mime(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        _ => "application/octet-stream",
    }
}

/// What a file URL's path escapes, as Node's `pathToFileURL` does.
const URL_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}');

pub fn file_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    format!("file://{}", percent_encode(path.as_os_str().as_bytes(), URL_PATH))
}

/// Several files in one text; a file that cannot be read is told of in its place.
pub fn multiple(roots: &Roots, paths: &[String]) -> Result<String, Fault> {
    if paths.is_empty() {
        return Err(Fault::new("paths: at least one file path must be provided"));
    }
    let mut left = FILE_LIMIT;
    let mut told = 0_usize;
    let mut parts = Vec::with_capacity(paths.len().min(1024));
    for path in paths {
        let read =
            if left == 0 { Err(Fault::new("no room left in this answer")) } else { text(roots, path, Part::Whole) };
        let part = match read {
            Ok(text) if text.len() as u64 <= left => {
                left -= text.len() as u64;
                format!("{path}:\n{text}\n")
            }
            Ok(_) => format!("{path}: Error - no room left in this answer, read it by itself"),
            Err(fault) => format!("{path}: Error - {fault}"),
        };
        told = told.saturating_add(part.len());
        if told > crate::answer::ANSWER_LIMIT {
            return Err(crate::answer::too_large(told));
        }
        parts.push(part);
    }
    Ok(parts.join("\n---\n"))
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
