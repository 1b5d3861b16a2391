//! Listing a folder, and what is known of a file.

use std::cmp::Reverse;
use std::time::{Instant, SystemTime};

use cap_std::fs::{Metadata, PermissionsExt};

use crate::answer::Lines;
use crate::fault::Fault;
use crate::links;
use crate::paths::name_text;
use crate::roots::Roots;
use crate::walk::{self, Kind};

pub fn names(roots: &Roots, path: &str, until: Instant) -> Result<String, Fault> {
    let (folder, _) = roots.open_folder(path)?;
    let entries = walk::entries(&folder, until).map_err(|e| Fault::io(path, &e))?;
    // A label, a blank and a line feed.
    let mut lines = Lines::with_room(entries.bytes() + entries.len() * 8);
    let all = entries.iter().all(|(name, kind)| lines.push(&[label(kind), " ", &name_text(name)]));
    Ok(lines.finish(all && entries.all))
}

fn label(kind: Kind) -> &'static str {
    if kind == Kind::Folder { "[DIR]" } else { "[FILE]" }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    Name,
    Size,
}

struct Sized {
    name: String,
    kind: Kind,
    size: u64,
}

pub fn sizes(roots: &Roots, path: &str, sort: SortBy, until: Instant) -> Result<String, Fault> {
    let (folder, located) = roots.open_folder(path)?;
    let entries = walk::entries(&folder, until).map_err(|e| Fault::io(path, &e))?;
    let mut all = entries.all;
    let root = located.root;
    let mut found = Vec::with_capacity(entries.len());
    for (name, kind) in entries.iter() {
        if found.len().is_multiple_of(256) && Instant::now() > until {
            all = false;
            break;
        }
        // A link's is what it leads to; one that leads outside has none.
        let metadata = match kind {
            Kind::Link => links::follow(root, &located.below.join(name), |below| root.dir.metadata(below)),
            _ => folder.symlink_metadata(name),
        };
        let size = metadata.map_or(0, |metadata| metadata.len());
        found.push(Sized { name: name_text(name).into_owned(), kind, size });
    }
    match sort {
        SortBy::Name => found.sort_by_cached_key(|entry| reading_order(&entry.name)),
        SortBy::Size => found.sort_by_key(|entry| Reverse(entry.size)),
    }
    Ok(table(&found, all))
}

/// Letters without regard to case first, and small before capital where nothing else differs.
fn reading_order(name: &str) -> (String, Vec<bool>) {
    (name.to_lowercase(), name.chars().map(char::is_uppercase).collect())
}

fn table(found: &[Sized], mut all: bool) -> String {
    let mut lines = Lines::default();
    for entry in found {
        let folder = entry.kind == Kind::Folder;
        let size = if folder { String::new() } else { format!("{:>10}", size_text(entry.size)) };
        all &= lines.push(&[&format!("{} {:<30} {size}", label(entry.kind), entry.name)]);
    }
    let folders = found.iter().filter(|entry| entry.kind == Kind::Folder).count();
    let files = found.len() - folders;
    let bytes = found.iter().filter(|e| e.kind != Kind::Folder).fold(0_u64, |sum, e| sum.saturating_add(e.size));
    let text = lines.finish(all);
    let line = if text.is_empty() { "" } else { "\n" };
    format!("{text}{line}\nTotal: {files} files, {folders} directories\nCombined size: {}", size_text(bytes))
}

fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while size >= 1024.0
        && let Some(next) = units.next()
    {
        size /= 1024.0;
        unit = Some(next);
    }
    format!("{size:.2} {}", unit.unwrap_or(&""))
}

pub fn info(roots: &Roots, path: &str) -> Result<String, Fault> {
    let metadata = roots.metadata(path)?;
    let created = metadata.created().map(cap_std::time::SystemTime::into_std);
    let modified = metadata.modified().map(cap_std::time::SystemTime::into_std);
    let accessed = metadata.accessed().map(cap_std::time::SystemTime::into_std);
    Ok(format!(
        "size: {}\ncreated: {}\nmodified: {}\naccessed: {}\nisDirectory: {}\nisFile: {}\npermissions: {:03o}",
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

/// In JavaScript's form, which clients of the reference server read; always UTC.
fn time(time: std::io::Result<SystemTime>) -> String {
    let stamp = time.ok().and_then(|t| jiff::Timestamp::try_from(t).ok());
    stamp.map_or("unknown".into(), |t| {
        t.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)").to_string()
    })
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
