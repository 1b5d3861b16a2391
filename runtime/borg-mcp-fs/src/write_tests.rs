use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::read::{Part, text};
use crate::roots::Wanted;
use crate::testing::{fault, root, soon};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_made_and_replaced_and_keeps_its_mode() {
    let (folder, roots) = root(|_| ());
    assert_eq!(file(&roots, "a", "one", soon()).unwrap(), "Successfully wrote to a");
    let path = folder.path().join("a");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o751)).unwrap();
    let before = std::fs::metadata(&path).unwrap();
    file(&roots, "a", "two", soon()).unwrap();
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert_ne!(after.ino(), before.ino());
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn a_link_within_is_written_through_and_stays() {
    let (folder, roots) = root(|f| {
        std::fs::create_dir(f.join("sub")).unwrap();
        std::fs::write(f.join("file"), "").unwrap();
        symlink("../file", f.join("sub/relative")).unwrap();
        symlink(f.join("file"), f.join("absolute")).unwrap();
        symlink("loop", f.join("loop")).unwrap();
    });
    for path in ["sub/relative", "absolute"] {
        file(&roots, path, path, soon()).unwrap();
        assert_eq!(text(&roots, "file", Part::Whole).unwrap(), path);
    }
    assert!(folder.path().join("sub/relative").is_symlink());
    assert!(fault(file(&roots, "loop", "", soon())).contains("too many symbolic links"));
}

#[test]
fn what_is_no_file_is_left_alone() {
    let (_folder, roots) = root(|f| std::fs::create_dir(f.join("sub")).unwrap());
    assert_eq!(fault(file(&roots, "sub", "", soon())), "sub: not a regular file but a directory");
    assert!(fault(file(&roots, ".", "", soon())).contains("has to stay"));
    assert!(fault(file(&roots, "none/a", "", soon())).starts_with("Parent directory does not exist: /"));
    let large = "x".repeat(usize::try_from(FILE_LIMIT).unwrap() + 1);
    assert!(fault(file(&roots, "a", &large, soon())).contains("written at once"));
}

#[test]
fn other_names_of_a_file_do_not_change() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "old").unwrap();
    let (_folder, roots) = root(|f| std::fs::hard_link(&secret, f.join("a")).unwrap());
    assert!(fault(append(&roots, "a", "x", soon())).contains("hard links"));
    file(&roots, "a", "new", soon()).unwrap();
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "old");
    append(&roots, "a", "er", soon()).unwrap();
    assert_eq!(text(&roots, "a", Part::Whole).unwrap(), "newer");
}

#[test]
fn a_file_that_changes_meanwhile_is_not_replaced() {
    let (folder, roots) = root(|f| std::fs::write(f.join("a"), "1").unwrap());
    let place = roots.place("a", true).unwrap();
    let old = existing(&place, "a").unwrap();
    std::fs::write(folder.path().join("b"), "2").unwrap();
    std::fs::rename(folder.path().join("b"), folder.path().join("a")).unwrap();
    assert!(fault(replace(&place, b"3", old, "a", soon())).contains("meanwhile"));
    assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap(), "2");
    // And one that appears.
    let place = roots.place("c", true).unwrap();
    std::fs::write(folder.path().join("c"), "4").unwrap();
    assert!(fault(replace(&place, b"5", None, "c", soon())).contains("meanwhile"));
    assert_eq!(names(folder.path()), ["a", "c"]);
}

#[test]
fn a_read_only_root_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "1").unwrap();
    let roots = Roots::open(&[Wanted { path: folder.path().into(), writable: false, max: None }], None).unwrap();
    let edit = crate::edit::Edit { old_text: "1".into(), new_text: "2".into() };
    for denied in [
        file(&roots, "a", "2", soon()),
        append(&roots, "a", "2", soon()),
        crate::edit::file(&roots, "a", std::slice::from_ref(&edit), false, soon()),
        crate::shift::make_folder(&roots, "b"),
        crate::shift::rename(&roots, "a", "b", soon()),
        crate::shift::trash(&roots, "a"),
    ] {
        assert!(fault(denied).contains("read-only"));
    }
    assert!(crate::edit::file(&roots, "a", &[edit], true, soon()).is_ok());
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn a_limited_root_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "x".repeat(600)).unwrap();
    let limited = Wanted { path: folder.path().into(), writable: true, max: Some(1000) };
    let roots = Roots::open(&[limited], None).unwrap();
    assert!(fault(file(&roots, "b", &"x".repeat(401), soon())).contains("400 are left"));
    file(&roots, "b", &"x".repeat(300), soon()).unwrap();
    assert!(fault(append(&roots, "b", &"x".repeat(101), soon())).contains("100 are left"));
    append(&roots, "b", &"x".repeat(100), soon()).unwrap();
    file(&roots, "a", "", soon()).unwrap();
    file(&roots, "c", &"x".repeat(600), soon()).unwrap();
}

#[test]
fn rights_of_the_old_content_do_not_go_to_the_new() {
    let (folder, roots) = root(|at| std::fs::write(at.join("tool"), "old").unwrap());
    let tool = std::fs::File::open(folder.path().join("tool")).unwrap();
    let set = |name: &str, value: &[u8]| rustix::fs::fsetxattr(&tool, name, value, rustix::fs::XattrFlags::empty());
    // cap_net_raw=ep, as setcap(8) writes it; root alone may.
    let capability = set("security.capability", b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    if capability.is_err() || set("user.note", b"kept").is_err() {
        return;
    }
    file(&roots, "tool", "#!/bin/sh\nid\n", soon()).unwrap();
    let get = |name: &str| {
        let mut value = vec![0; 64];
        rustix::fs::getxattr(folder.path().join("tool"), name, &mut value).map(|size| value[..size].to_vec())
    };
    assert_eq!(get("user.note"), Ok(b"kept".to_vec()));
    assert_eq!(get("security.capability"), Err(rustix::io::Errno::NODATA));
}
