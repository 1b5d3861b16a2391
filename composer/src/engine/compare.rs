//! What two layers that should be the same differ in, and whose files those are.

#![allow(clippy::disallowed_methods, reason = "an edge: works in unpacked layers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::engine::native::squash;
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::{self, Run};

/// The most differences that are named.
const MOST: usize = 20;

/// Where dpkg notes which files a package has brought.
const DPKG_INFO: &str = "var/lib/dpkg/info";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompareJob {
    pub before: Digest,
    pub after: Digest,
    /// Layers below, whose packages may own files of this one.
    pub below: Vec<Digest>,
    /// The log file, as seen inside the worker.
    pub log: PathBuf,
}

/// A path in which the layers differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Absolute in the image.
    pub path: String,
    /// In words: `content`, `mode`.
    pub what: Vec<String>,
    /// The package that brought it.
    pub package: Option<String>,
}

/// Unpacks both layers and answers with the first differences, by path.
pub fn compare(job: &CompareJob, store: &Store) -> Result<Vec<Difference>> {
    let work = Path::new(workshop::WORK);
    let (before, after) = (work.join("before"), work.join("after"));
    squash::unsquash(&store.object(&job.before), &before, &job.log)?;
    squash::unsquash(&store.object(&job.after), &after, &job.log)?;
    let mut owners = owners(&after)?;
    for (i, layer) in job.below.iter().enumerate() {
        let folder = work.join(format!("below-{i}"));
        let image = store.object(layer);
        Run::new("unsquashfs")
            .args(["-no-progress", "-quiet", "-no-xattrs", "-d"])
            .arg(&folder)
            .arg(image)
            .arg(DPKG_INFO)
            .log(&job.log)
            .run()?;
        owners.extend(self::owners(&folder)?);
    }
    let mut found = differences(&before, &after)?;
    found.truncate(MOST);
    Ok(found.into_iter().map(|(path, what)| Difference { package: owners.get(&path).cloned(), path, what }).collect())
}

/// Packages by the paths that they have brought.
fn owners(root: &Path) -> Result<BTreeMap<String, String>> {
    let folder = root.join(DPKG_INFO);
    let mut owners = BTreeMap::new();
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(owners) };
    for entry in entries {
        let path = entry.at("read", &folder)?.path();
        let Some(package) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".list")) else {
            continue;
        };
        let text = fs::read_to_string(&path).at("read", &path)?;
        owners.extend(text.lines().map(|line| (line.to_owned(), package.to_owned())));
    }
    Ok(owners)
}

/// All paths in which two folders differ, and in what.
fn differences(before: &Path, after: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let names: BTreeSet<_> =
            names(&before.join(&folder))?.into_iter().chain(names(&after.join(&folder))?).collect();
        for name in names {
            let path = folder.join(name);
            let (a, b) = (before.join(&path), after.join(&path));
            let what = match (fs::symlink_metadata(&a), fs::symlink_metadata(&b)) {
                (Ok(_), Err(_)) => vec!["missing in the new build".to_owned()],
                (Err(_), _) => vec!["only in the new build".to_owned()],
                (Ok(meta_a), Ok(meta_b)) => {
                    if meta_a.is_dir() && meta_b.is_dir() {
                        folders.push(path.clone());
                    }
                    changes((&a, &meta_a), (&b, &meta_b))?
                }
            };
            if !what.is_empty() {
                found.push((format!("/{}", path.display()), what));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>> {
    let entries = fs::read_dir(folder).at("read", folder)?;
    entries.map(|entry| Ok(entry.at("read", folder)?.file_name())).collect()
}

fn changes(a: (&Path, &fs::Metadata), b: (&Path, &fs::Metadata)) -> Result<Vec<String>> {
    let ((path_a, a), (path_b, b)) = (a, b);
    if a.file_type() != b.file_type() {
        return Ok(vec!["kind".into()]);
    }
    let same_content = if a.is_file() {
        a.len() == b.len() && same_bytes(path_a, path_b)?
    } else if a.is_symlink() {
        fs::read_link(path_a).at("read", path_a)? == fs::read_link(path_b).at("read", path_b)?
    } else {
        !(a.file_type().is_char_device() || a.file_type().is_block_device()) || a.rdev() == b.rdev()
    };
    let checks = [
        ("content", same_content),
        ("mode", a.mode() == b.mode()),
        ("owner", (a.uid(), a.gid()) == (b.uid(), b.gid())),
        ("time", a.mtime() == b.mtime()),
        ("attributes", attributes(path_a)? == attributes(path_b)?),
    ];
    Ok(checks.iter().filter(|(_, same)| !same).map(|(what, _)| (*what).to_owned()).collect())
}

fn attributes(path: &Path) -> Result<BTreeMap<std::ffi::OsString, Option<Vec<u8>>>> {
    let names = xattr::list(path).at("read", path)?;
    names.map(|name| Ok((name.clone(), xattr::get(path, &name).at("read", path)?))).collect()
}

fn same_bytes(a: &Path, b: &Path) -> Result<bool> {
    let (mut file_a, mut file_b) = (fs::File::open(a).at("open", a)?, fs::File::open(b).at("open", b)?);
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
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }

    fn folder_times(root: &Path, path: &str) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        fs::File::open(root.join(path)).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn each_kind_of_difference_is_named() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for root in [a.path(), b.path()] {
            write(root, "same", "x");
            write(root, "etc/mode", "x");
            write(root, "etc/content", "x");
        }
        fs::set_permissions(b.path().join("etc/mode"), fs::Permissions::from_mode(0o600)).unwrap();
        write(b.path(), "etc/content", "y");
        write(a.path(), "etc/gone", "x");
        write(b.path(), "etc/new", "x");
        symlink("x", a.path().join("link")).unwrap();
        write(b.path(), "link", "x");
        folder_times(a.path(), "etc");
        folder_times(b.path(), "etc");
        let found = differences(a.path(), b.path()).unwrap();
        let found: Vec<String> = found.iter().map(|(path, what)| format!("{path}: {}", what.join(", "))).collect();
        assert_eq!(
            found,
            [
                "/etc/content: content",
                "/etc/gone: missing in the new build",
                "/etc/mode: mode",
                "/etc/new: only in the new build",
                "/link: kind"
            ]
        );
    }

    #[test]
    fn dpkg_knows_whose_files_they_are() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "var/lib/dpkg/info/jq.list", "/.\n/usr/bin/jq\n");
        assert_eq!(owners(root.path()).unwrap().get("/usr/bin/jq").map(String::as_str), Some("jq"));
    }
}
