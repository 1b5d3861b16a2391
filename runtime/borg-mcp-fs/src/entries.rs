//! What a folder holds, in the order of the names' bytes.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};

/// The most entries of one folder that are looked at: they are sorted, and so held at once.
pub const ENTRY_LIMIT: usize = 500_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
    Link,
    Other,
}

impl From<FileType> for Kind {
    fn from(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        }
    }
}

/// All names lie in one piece of memory: a folder may hold many.
#[derive(Debug, Default)]
pub struct Entries {
    names: Vec<u8>,
    order: Vec<Entry>,
    /// Whether these are all.
    pub all: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// By which most names differ, as a number.
    key: u64,
    start: u32,
    /// More than 255 on some file systems: vfat counts in UTF-16, and FUSE goes up to 1024.
    length: u16,
    kind: Kind,
}

impl Entries {
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// How many bytes all names take.
    pub fn bytes(&self) -> usize {
        self.names.len()
    }

    pub fn get(&self, at: usize) -> Option<(&OsStr, Kind)> {
        let entry = self.order.get(at)?;
        Some((OsStr::from_bytes(self.name(entry)), entry.kind))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, Kind)> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        self.names.get(start..start + usize::from(entry.length)).unwrap_or_default()
    }

    fn push(&mut self, name: &[u8], kind: Kind) {
        let (Ok(start), Ok(length)) = (u32::try_from(self.names.len()), u16::try_from(name.len())) else { return };
        self.names.extend_from_slice(name);
        self.order.push(Entry { key: 0, start, length, kind });
    }

    fn sort(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        let first = order.first().map_or(&[][..], |entry| self.name(entry));
        let shared = order.iter().fold(first.len(), |shared, entry| same(first, self.name(entry)).min(shared));
        for entry in &mut order {
            entry.key = key(self.name(entry).get(shared..).unwrap_or_default());
        }
        order.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| self.name(a).cmp(self.name(b))));
        self.order = order;
    }
}

/// How many bytes two names begin with alike.
fn same(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// The first eight bytes; no name holds the zero that fills up a shorter one.
fn key(name: &[u8]) -> u64 {
    let mut key = [0; 8];
    key.iter_mut().zip(name).for_each(|(place, byte)| *place = *byte);
    u64::from_be_bytes(key)
}

/// Reads a folder that was read before, or may be again.
pub fn entries(folder: impl AsFd, until: Instant) -> io::Result<Entries> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    read(rustix::fs::openat(&folder, ".", flags, Mode::empty())?, until)
}

/// Reads a folder that was just opened.
pub fn read(folder: OwnedFd, until: Instant) -> io::Result<Entries> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut reader = RawDir::new(&folder, buffer.spare_capacity_mut());
    let mut entries = Entries { all: true, ..Entries::default() };
    while let Some(entry) = reader.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        if entries.len() == ENTRY_LIMIT || (entries.len().is_multiple_of(1024) && Instant::now() > until) {
            entries.all = false;
            break;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say.
            FileType::Unknown => rustix::fs::statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            known => known,
        };
        entries.push(name, kind.into());
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_may_be_longer_than_most_file_systems_have_it() {
        let names = [vec![b'a'; 1024], vec![b'b'; 256]];
        let mut entries = Entries::default();
        for name in &names {
            entries.push(name, Kind::File);
        }
        entries.sort();
        assert_eq!(entries.iter().map(|(name, _)| name.len()).collect::<Vec<_>>(), [1024, 256]);
    }

    proptest! {
        #[test]
        fn names_are_in_the_order_of_their_bytes(
            start in prop::collection::vec(1_u8.., 0..4),
            ends in prop::collection::vec(prop::collection::vec(prop_oneof![1_u8..4, 254_u8..], 0..12), 0..40),
        ) {
            let mut names: Vec<Vec<u8>> = ends.into_iter().map(|end| [start.clone(), end].concat()).collect();
            let mut entries = Entries::default();
            for name in &names {
                entries.push(name, Kind::File);
            }
            entries.sort();
            names.sort();
            let sorted: Vec<OsString> = entries.iter().map(|(name, _)| name.to_owned()).collect();
            prop_assert_eq!(sorted, names.into_iter().map(OsString::from_vec).collect::<Vec<_>>());
        }
    }
}
