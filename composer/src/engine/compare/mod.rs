//! What two layers that should be the same differ in, and whose files those are.

#![allow(clippy::disallowed_methods, reason = "an edge: works in unpacked layers")]

pub mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::engine::native::squash;
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::{self, Run};
use tree::Side;

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
    let found = tree::differences(&Side::new(&before)?, &Side::new(&after)?)?;
    let named = found.into_iter().take(MOST).map(|(path, what)| Difference {
        package: owners.get(&path).cloned(),
        path,
        what: what.iter().map(ToString::to_string).collect(),
    });
    Ok(named.collect())
}

/// Packages by the paths that they have brought.
pub fn owners(root: &Path) -> Result<BTreeMap<String, String>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkg_knows_whose_files_they_are() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(DPKG_INFO);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("jq.list"), "/.\n/usr/bin/jq\n").unwrap();
        assert_eq!(owners(root.path()).unwrap().get("/usr/bin/jq").map(String::as_str), Some("jq"));
    }
}
