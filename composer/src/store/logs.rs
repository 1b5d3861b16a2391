//! Logs of runs: `<name>-<time>-<process>.log`, the newest of each name.

#![allow(clippy::disallowed_methods, reason = "an edge: the store")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use jiff::civil::DateTime;

use super::{Store, remove_if_there, write_atomically};
use crate::error::{IoContext, Result};

const TIME: &str = "%Y%m%dT%H%M%S";

impl Store {
    /// Makes a new, empty log, of which it says the file's name. Of the older ones of this name all but the `keep` newest go.
    pub fn new_log(&self, name: &str, keep: usize) -> Result<String> {
        self.prune_logs(name, keep)?;
        let file = format!("{name}-{}-{}.log", jiff::Timestamp::now().strftime(TIME), std::process::id());
        write_atomically(&self.log_path(&file), b"")?;
        Ok(file)
    }

    pub fn log_path(&self, file: &str) -> PathBuf {
        self.root.join("logs").join(file)
    }

    fn prune_logs(&self, name: &str, keep: usize) -> Result<()> {
        let folder = self.root.join("logs");
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(&folder).at("read", &folder)? {
            files.insert(entry.at("read", &folder)?.file_name());
        }
        files.retain(|file| file.to_str().is_some_and(|file| is_log_of(name, file)));
        // The time tells their age.
        let old = files.len().saturating_sub(keep);
        files.iter().take(old).try_for_each(|file| remove_if_there(&folder.join(file)))
    }
}

/// Another name may begin with this one.
fn is_log_of(name: &str, file: &str) -> bool {
    let rest = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".log"));
    let parts = rest.and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(time, process)| DateTime::strptime(TIME, time).is_ok() && process.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_another_name_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let files = [
            "build-edge-20260101T000000-1.log",
            "build-edge-20260102T000000-1.log",
            "build-edge-2-20260101T000000-1.log",
            "build-edge-2026-20260101T000000-1.log",
            "build-edge-20260101T000000-x-20260101T000000-1.log",
        ];
        for file in files {
            fs::write(store.log_path(file), "").unwrap();
        }
        let new = store.new_log("build-edge", 1).unwrap();
        let left = files.iter().filter(|file| store.log_path(file).exists()).collect::<Vec<_>>();
        assert_eq!(left, files[1..].iter().collect::<Vec<_>>());
        assert!(is_log_of("build-edge", &new) && store.log_path(&new).exists());
    }
}
