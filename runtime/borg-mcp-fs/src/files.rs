//! What the tools do, on a thread that may block. Everything is bounded.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant, SystemTime};

use cap_std::fs::{File, FileType, Metadata, PermissionsExt};
use glob::{MatchOptions, Pattern};

use crate::fault::Fault;
use crate::roots::{Roots, name_text};

/// The most that is read of one file.
pub const READ_LIMIT: u64 = 1024 * 1024;
/// The most entries in one answer.
pub const ENTRY_LIMIT: usize = 10_000;
/// The most entries that a search looks at, and for how long.
const VISIT_LIMIT: usize = 200_000;
const SEARCH_TIME: Duration = Duration::from_secs(8);

/// Which part of a file is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Whole,
    Head(usize),
    Tail(usize),
}

pub fn read_text(roots: &Roots, path: &str, part: Part) -> Result<String, Fault> {
    let mut file = roots.open_read(path)?;
    let metadata = file.metadata().map_err(|e| Fault::io(path, &e))?;
    if !metadata.is_file() {
        return Err(Fault::new(format!("{path}: not a regular file but {}", kind(metadata.file_type()))));
    }
    let size = metadata.len();
    if matches!(part, Part::Whole) && size > READ_LIMIT {
        let help = "ask for the first lines (head) or the last lines (tail)";
        return Err(Fault::new(format!("{path}: {size} bytes are more than the {READ_LIMIT} read at once; {help}")));
    }
    if matches!(part, Part::Tail(_)) && size > READ_LIMIT {
        file.seek(SeekFrom::Start(size - READ_LIMIT)).map_err(|e| Fault::io(path, &e))?;
    }
    let text = read_bounded(&file).map_err(|e| Fault::io(path, &e))?;
    Ok(match part {
        Part::Whole => text,
        Part::Head(count) => text.split_inclusive('\n').take(count).collect(),
        Part::Tail(count) => tail(&text, count),
    })
}

/// Files of /proc and the like say that they are empty, so the length alone bounds nothing.
fn read_bounded(file: &File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.take(READ_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.into_iter().rev().take(count).rev().collect()
}

pub fn list(roots: &Roots, path: &str) -> Result<String, Fault> {
    let folder = roots.open_folder(path)?;
    let entries = folder.entries().map_err(|e| Fault::io(path, &e))?;
    let mut lines = Vec::new();
    let mut cut = false;
    for entry in entries {
        let entry = entry.map_err(|e| Fault::io(path, &e))?;
        if lines.len() == ENTRY_LIMIT {
            cut = true;
            break;
        }
        let label = match entry.file_type() {
            Ok(t) if t.is_dir() => "[DIR]",
            Ok(t) if t.is_symlink() => "[LINK]",
            Ok(t) if t.is_file() => "[FILE]",
            _ => "[OTHER]",
        };
        lines.push((name_text(&entry.file_name()), label));
    }
    lines.sort();
    let mut text = String::new();
    for (name, label) in lines {
        let _ = writeln!(text, "{label} {name}");
    }
    Ok(finish(text, cut))
}

pub fn info(roots: &Roots, path: &str) -> Result<String, Fault> {
    let metadata = roots.metadata(path)?;
    let created = metadata.created().map(cap_std::time::SystemTime::into_std);
    let modified = metadata.modified().map(cap_std::time::SystemTime::into_std);
    let accessed = metadata.accessed().map(cap_std::time::SystemTime::into_std);
    Ok(format!(
        "size: {}\ncreated: {}\nmodified: {}\naccessed: {}\nisDirectory: {}\nisFile: {}\npermissions: {:03o}\n",
        metadata.len(),
        time(created),
        time(modified),
        time(accessed),
        metadata.is_dir(),
        metadata.is_file(),
        permissions(&metadata),
    ))
}

fn permissions(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

fn time(time: std::io::Result<SystemTime>) -> String {
    time.ok().and_then(|t| jiff::Timestamp::try_from(t).ok()).map_or("unknown".into(), |t| t.to_string())
}

/// Paths below `path`, relative to it, that match `pattern` and none of `exclude`. Symlinks are not followed.
pub fn search(roots: &Roots, path: &str, pattern: &str, exclude: &[String]) -> Result<String, Fault> {
    let wanted = compile(pattern)?;
    let unwanted = exclude.iter().map(|p| compile(p)).collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let mut folders = VecDeque::from([String::new()]);
    let mut found = Vec::new();
    let mut visited = 0;
    let mut cut = false;
    while let Some(below) = folders.pop_front() {
        // Opened again from the root by name: a folder swapped for a symlink meanwhile cannot lead outside.
        let Ok(folder) = roots.open_folder(&join(path, &below)) else {
            if below.is_empty() {
                roots.open_folder(path)?;
            }
            continue;
        };
        let entries = folder.entries().map_err(|e| Fault::io(path, &e))?;
        for entry in entries.filter_map(Result::ok) {
            visited += 1;
            cut |= found.len() >= ENTRY_LIMIT || visited > VISIT_LIMIT || start.elapsed() > SEARCH_TIME;
            if cut {
                break;
            }
            let name = entry.file_name();
            let below = join(&below, &name_text(&name));
            if unwanted.iter().any(|p| p.matches_with(&below, MATCH)) {
                continue;
            }
            if wanted.matches_with(&below, MATCH) {
                found.push(join(path, &below));
            }
            // A name that had to be escaped cannot be opened by its text.
            if entry.file_type().is_ok_and(|t| t.is_dir()) && name.to_str() == Some(&name_text(&name)) {
                folders.push_back(below);
            }
        }
    }
    found.sort();
    let text = if found.is_empty() { "No matches found\n".into() } else { found.join("\n") + "\n" };
    Ok(finish(text, cut))
}

/// `*` stays within a component, `**` does not.
const MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

fn compile(pattern: &str) -> Result<Pattern, Fault> {
    Pattern::new(pattern).map_err(|e| Fault::new(format!("pattern {pattern}: {e}")))
}

fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{}/{name}", folder.trim_end_matches('/')),
    }
}

fn finish(mut text: String, cut: bool) -> String {
    if cut {
        text.push_str("… cut short: there are more\n");
    }
    text
}

fn kind(file_type: FileType) -> &'static str {
    use cap_std::fs::FileTypeExt as _;
    match file_type {
        t if t.is_dir() => "a folder",
        t if t.is_fifo() => "a pipe",
        t if t.is_socket() => "a socket",
        t if t.is_block_device() || t.is_char_device() => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
