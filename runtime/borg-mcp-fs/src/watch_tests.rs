use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::read::file_uri;
use crate::testing::{root, soon};

fn watching(roots: &Roots, paths: &[&Path]) -> Watcher {
    let mut watcher = Watcher::new().unwrap();
    watcher.want(roots, &paths.iter().map(|path| file_uri(path)).collect());
    watcher
}

fn names(changed: BTreeSet<String>) -> Vec<String> {
    changed.iter().map(|uri| uri.rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn a_file_is_seen_however_it_changes() {
    let (folder, roots) = root(|f| fs::write(f.join("a"), "1").unwrap());
    let path = |name: &str| folder.path().join(name);
    let watcher = watching(&roots, &[&path("a"), &path("new")]);
    assert_eq!(names(watcher.changed()), [""; 0]);
    fs::write(path("a"), "2").unwrap();
    assert_eq!(names(watcher.changed()), ["a"]);
    crate::write::file(&roots, "a", "3", soon()).unwrap();
    assert_eq!(names(watcher.changed()), ["a"]);
    // After it was replaced, too.
    crate::write::append(&roots, "a", "4", soon()).unwrap();
    assert_eq!(names(watcher.changed()), ["a"]);
    fs::read(path("a")).unwrap();
    fs::write(path("other"), "").unwrap();
    assert_eq!(names(watcher.changed()), [""; 0]);
    fs::write(path("new"), "").unwrap();
    fs::remove_file(path("a")).unwrap();
    assert_eq!(names(watcher.changed()), ["a", "new"]);
}

#[test]
fn a_folder_changes_by_its_names() {
    let (folder, roots) = root(|f| fs::write(f.join("a"), "1").unwrap());
    let watcher = watching(&roots, &[folder.path()]);
    fs::write(folder.path().join("a"), "2").unwrap();
    assert!(watcher.changed().is_empty());
    fs::write(folder.path().join("b"), "").unwrap();
    assert_eq!(watcher.changed().len(), 1);
    fs::rename(folder.path().join("b"), folder.path().join("c")).unwrap();
    assert_eq!(watcher.changed().len(), 1);
}

#[test]
fn a_folder_above_that_is_swapped_is_found_when_looked_at() {
    let (folder, roots) = root(|f| {
        for name in ["one/in", "two/in"] {
            fs::create_dir_all(f.join(name)).unwrap();
        }
    });
    let path = |name: &str| folder.path().join(name);
    let mut watcher = watching(&roots, &[&path("one/in/file")]);
    assert!(watcher.look_again(&roots).is_empty());
    fs::rename(path("one"), path("old")).unwrap();
    fs::rename(path("two"), path("one")).unwrap();
    assert!(watcher.changed().is_empty());
    assert_eq!(names(watcher.look_again(&roots)), ["file"]);
    fs::write(path("one/in/file"), "").unwrap();
    assert_eq!(names(watcher.changed()), ["file"]);
    // The folder that was swapped away is none of it any more.
    fs::write(path("old/in/file"), "").unwrap();
    assert!(watcher.changed().is_empty());
    fs::remove_dir_all(path("one")).unwrap();
    watcher.changed();
    assert_eq!(names(watcher.look_again(&roots)), ["file"]);
}

#[test]
fn nothing_outside_is_watched() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "").unwrap();
    let (folder, roots) = root(|f| {
        fs::write(f.join("inside"), "").unwrap();
        symlink(outside.path(), f.join("folder")).unwrap();
        symlink(outside.path().join("file"), f.join("link")).unwrap();
        symlink("inside", f.join("good")).unwrap();
    });
    let path = |name: &str| folder.path().join(name);
    let paths = ["folder", "folder/file", "link", "good"].map(path);
    let mut all: Vec<&Path> = paths.iter().map(std::path::PathBuf::as_path).collect();
    let own = outside.path().join("file");
    all.push(&own);
    let watcher = watching(&roots, &all);
    fs::write(&own, "changed").unwrap();
    fs::write(outside.path().join("more"), "").unwrap();
    assert!(watcher.changed().is_empty());
    fs::write(path("inside"), "changed").unwrap();
    assert_eq!(names(watcher.changed()), ["good"]);
}

#[test]
fn what_is_not_wanted_any_more_is_not_watched() {
    let (folder, roots) = root(|f| fs::create_dir(f.join("a")).unwrap());
    let mut watcher = watching(&roots, &[&folder.path().join("a")]);
    watcher.want(&roots, &BTreeSet::new());
    fs::write(folder.path().join("a/b"), "").unwrap();
    assert!(watcher.changed().is_empty() && watcher.watches().is_empty());
}
