//! Two folders compared by everything that their files are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};

/// In what a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Missing,
    Added,
    /// A file here, a folder there.
    Kind,
    /// Bytes, a link's target or a device's number.
    Content,
    Mode,
    Owner,
    Time,
    /// Extended attributes; file capabilities are among them.
    Attributes,
    /// Which names are one file.
    Links,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Missing => "missing in the new build",
            What::Added => "only in the new build",
            What::Kind => "kind",
            What::Content => "content",
            What::Mode => "mode",
            What::Owner => "owner",
            What::Time => "time",
            What::Attributes => "attributes",
            What::Links => "hard links",
        })
    }
}

/// Names of accounts by number; numbers that have none are compared as such.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub users: BTreeMap<u32, String>,
    pub groups: BTreeMap<u32, String>,
}

impl Names {
    /// From the texts of passwd(5) and group(5).
    pub fn of(passwd: &str, group: &str) -> Self {
        let read = |text: &str| {
            let pair = |line: &str| Some((line.split(':').nth(2)?.parse().ok()?, line.split(':').next()?.to_owned()));
            text.lines().filter_map(pair).collect()
        };
        Names { users: read(passwd), groups: read(group) }
    }

    fn owner(&self, meta: &Metadata) -> (String, String) {
        let name = |names: &BTreeMap<u32, String>, id: u32| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        (name(&self.users, meta.uid()), name(&self.groups, meta.gid()))
    }
}

/// One of the two folders, and how it is looked at.
#[derive(Debug)]
pub struct Side {
    root: PathBuf,
    names: Names,
    latest: i64,
    /// Everything below the root.
    entries: BTreeMap<PathBuf, Metadata>,
    /// The first path of each file that has several.
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Side {
    /// Owners are compared by number.
    pub fn new(root: &Path) -> Result<Self> {
        let mut entries = BTreeMap::new();
        walk(root, Path::new(""), &mut entries)?;
        let links = links(&entries);
        Ok(Side { root: root.to_owned(), names: Names::default(), latest: i64::MAX, entries, links })
    }

    /// Compares owners by name.
    #[must_use]
    pub fn with_names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Takes later times for this one, in seconds since 1970.
    #[must_use]
    pub fn clamped(mut self, latest: i64) -> Self {
        self.latest = latest;
        self
    }

    /// Files and folders below the root.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    fn time(&self, meta: &Metadata) -> i64 {
        meta.mtime().min(self.latest)
    }
}

fn walk(root: &Path, folder: &Path, entries: &mut BTreeMap<PathBuf, Metadata>) -> Result<()> {
    let place = root.join(folder);
    for entry in fs::read_dir(&place).at("read", &place)? {
        let name = folder.join(entry.at("read", &place)?.file_name());
        let path = root.join(&name);
        let meta = fs::symlink_metadata(&path).at("read", &path)?;
        if meta.is_dir() {
            walk(root, &name, entries)?;
        }
        entries.insert(name, meta);
    }
    Ok(())
}

fn links(entries: &BTreeMap<PathBuf, Metadata>) -> BTreeMap<PathBuf, PathBuf> {
    let mut first = BTreeMap::new();
    let several = entries.iter().filter(|(_, meta)| meta.nlink() > 1 && !meta.is_dir());
    let groups = several.map(|(path, meta)| {
        let first: &mut PathBuf = first.entry((meta.dev(), meta.ino())).or_insert_with(|| path.clone());
        (path.clone(), first.clone())
    });
    groups.collect()
}

/// All paths in which the folders differ, absolute in them, and in what.
pub fn differences(before: &Side, after: &Side) -> Result<Vec<(String, Vec<What>)>> {
    let paths: BTreeSet<&PathBuf> = before.entries.keys().chain(after.entries.keys()).collect();
    let mut found = Vec::new();
    for path in paths {
        let what = match (before.entries.get(path), after.entries.get(path)) {
            (Some(a), Some(b)) => changes(path, (before, a), (after, b))?,
            // What a folder holds goes without saying.
            _ if path.parent().is_some_and(|p| !p.as_os_str().is_empty() && !(both_folders(p, before, after))) => {
                continue;
            }
            (Some(_), None) => vec![What::Missing],
            (None, _) => vec![What::Added],
        };
        if !what.is_empty() {
            found.push((format!("/{}", path.display()), what));
        }
    }
    Ok(found)
}

fn both_folders(path: &Path, a: &Side, b: &Side) -> bool {
    [a, b].iter().all(|side| side.entries.get(path).is_some_and(Metadata::is_dir))
}

fn changes(path: &Path, a: (&Side, &Metadata), b: (&Side, &Metadata)) -> Result<Vec<What>> {
    let ((side_a, a), (side_b, b)) = (a, b);
    if a.file_type() != b.file_type() {
        return Ok(vec![What::Kind]);
    }
    let (path_a, path_b) = (side_a.root.join(path), side_b.root.join(path));
    let checks = [
        (What::Content, same_content((&path_a, a), (&path_b, b))?),
        (What::Mode, a.mode() == b.mode()),
        (What::Owner, side_a.names.owner(a) == side_b.names.owner(b)),
        (What::Time, side_a.time(a) == side_b.time(b)),
        (What::Attributes, attributes(&path_a)? == attributes(&path_b)?),
        (What::Links, side_a.links.get(path) == side_b.links.get(path)),
    ];
    Ok(checks.iter().filter(|(_, same)| !same).map(|(what, _)| *what).collect())
}

fn same_content(a: (&Path, &Metadata), b: (&Path, &Metadata)) -> Result<bool> {
    let ((path_a, a), (path_b, b)) = (a, b);
    if a.is_file() {
        Ok(a.len() == b.len() && same_bytes(path_a, path_b)?)
    } else if a.is_symlink() {
        Ok(fs::read_link(path_a).at("read", path_a)? == fs::read_link(path_b).at("read", path_b)?)
    } else {
        Ok(!(a.file_type().is_char_device() || a.file_type().is_block_device()) || a.rdev() == b.rdev())
    }
}

fn attributes(path: &Path) -> Result<BTreeMap<OsString, Option<Vec<u8>>>> {
    let names = xattr::list(path).at("read", path)?;
    names.map(|name| Ok((name.clone(), xattr::get(path, &name).at("read", path)?))).collect()
}

fn same_bytes(a: &Path, b: &Path) -> Result<bool> {
    let (mut file_a, mut file_b) = (File::open(a).at("open", a)?, File::open(b).at("open", b)?);
    let (mut part_a, mut part_b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = file_a.read(&mut part_a).at("read", a)?;
        let same = file_b.read_exact(&mut part_b[..count]).is_ok() && part_a[..count] == part_b[..count];
        if !same || count == 0 {
            return Ok(same);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn write(root: &Path, path: &str, text: &str) -> PathBuf {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        set_time(&path, 1);
        path
    }

    fn set_time(path: &Path, seconds: u64) {
        File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    /// Two equal folders, the second one changed by `change`; what is found, in words.
    fn found(change: impl FnOnce(&Path)) -> Vec<String> {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for folder in &folders {
            let one = write(folder.path(), "etc/one", "x");
            fs::hard_link(one, folder.path().join("etc/two")).unwrap();
            write(folder.path(), "etc/three", "x");
            symlink("one", folder.path().join("etc/link")).unwrap();
        }
        change(folders[1].path());
        for folder in &folders {
            set_time(&folder.path().join("etc"), 1);
        }
        let [a, b] = folders.each_ref().map(|f| Side::new(f.path()).unwrap());
        words(&differences(&a, &b).unwrap())
    }

    fn words(found: &[(String, Vec<What>)]) -> Vec<String> {
        let words = |what: &[What]| what.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        found.iter().map(|(path, what)| format!("{path}: {}", words(what))).filter(|l| l != "/etc/link: time").collect()
    }

    #[test]
    fn equal_folders_do_not_differ() {
        assert_eq!(found(|_| ()), [""; 0]);
    }

    #[test]
    fn what_is_there_once_is_named_without_what_it_holds() {
        assert_eq!(found(|b| fs::remove_file(b.join("etc/three")).unwrap()), ["/etc/three: missing in the new build"]);
        let more = |b: &Path| drop(write(b, "usr/share/new", "x"));
        assert_eq!(found(more), ["/usr: only in the new build"]);
    }

    #[test]
    fn each_property_of_a_file_counts() {
        let three = |b: &Path| b.join("etc/three");
        assert_eq!(found(|b| drop(write(b, "etc/three", "y"))), ["/etc/three: content"]);
        let mode = |b: &Path| fs::set_permissions(three(b), fs::Permissions::from_mode(0o4755)).unwrap();
        assert_eq!(found(mode), ["/etc/three: mode"]);
        assert_eq!(found(|b| set_time(&three(b), 2)), ["/etc/three: time"]);
        assert_eq!(found(|b| xattr::set(three(b), "user.x", b"1").unwrap()), ["/etc/three: attributes"]);
        let other = |b: &Path| {
            fs::remove_file(b.join("etc/link")).unwrap();
            symlink("two", b.join("etc/link")).unwrap();
        };
        assert_eq!(found(other)[0].replace(", time", ""), "/etc/link: content");
        let kind = |b: &Path| {
            fs::remove_file(b.join("etc/link")).unwrap();
            write(b, "etc/link", "one");
        };
        assert_eq!(found(kind), ["/etc/link: kind"]);
        let parted = |b: &Path| {
            fs::remove_file(b.join("etc/two")).unwrap();
            write(b, "etc/two", "x");
        };
        assert_eq!(found(parted), ["/etc/one: hard links", "/etc/two: hard links"]);
    }

    #[test]
    fn owners_and_capabilities_count() {
        // Only root can give files away and grant capabilities.
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        assert_eq!(found(|b| chown(b.join("etc/three"), Some(1), None).unwrap()), ["/etc/three: owner"]);
        // cap_net_raw+ep, version 2 (linux/capability.h).
        let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let grant = |b: &Path| xattr::set(b.join("etc/three"), "security.capability", &capability).unwrap();
        assert_eq!(found(grant), ["/etc/three: attributes"]);
    }

    #[test]
    fn names_stand_for_numbers_and_the_epoch_for_later_times() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let me = fs::metadata(write(a.path(), "x", "x")).unwrap();
        set_time(&write(b.path(), "x", "x"), 7);
        let names =
            |name: &str| Names::of(&format!("{name}:x:{}:0::/:/bin/sh\n", me.uid()), &format!("grp:x:{}:\n", me.gid()));
        let side = |root: &Path, name: &str| Side::new(root).unwrap().with_names(names(name));
        let compared = |a: &Side, b: &Side| words(&differences(a, b).unwrap());
        assert_eq!(compared(&side(a.path(), "ann"), &side(b.path(), "bob")), ["/x: owner, time"]);
        assert_eq!(compared(&side(a.path(), "ann").clamped(1), &side(b.path(), "ann").clamped(1)), [""; 0]);
    }
}
