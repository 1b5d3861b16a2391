use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;
use crate::roots::Wanted;
use crate::testing::{fault, root, soon};

#[test]
fn folders_are_made_with_those_above() {
    let (folder, roots) = root(|f| std::fs::write(f.join("file"), "").unwrap());
    for _ in 0..2 {
        assert_eq!(make_folder(&roots, "a/b/c").unwrap(), "Successfully created directory a/b/c");
    }
    assert!(folder.path().join("a/b/c").is_dir());
    assert!(fault(make_folder(&roots, "file")).contains("not a directory"));
    assert!(make_folder(&roots, ".").is_ok());
}

#[test]
fn a_move_never_replaces() {
    let (folder, roots) = root(|f| {
        std::fs::create_dir(f.join("sub")).unwrap();
        std::fs::write(f.join("a"), "a").unwrap();
        std::fs::write(f.join("b"), "b").unwrap();
        symlink("b", f.join("link")).unwrap();
        std::fs::write(f.join(std::ffi::OsStr::from_bytes(b"o\xff")), "odd").unwrap();
    });
    assert_eq!(rename(&roots, "a", "sub/c", soon()).unwrap(), "Successfully moved a to sub/c");
    let taken = fault(rename(&roots, "sub/c", "b", soon()));
    assert_eq!(taken, format!("Destination already exists: {}/b", folder.path().display()));
    assert!(fault(rename(&roots, "b", "link", soon())).starts_with("Destination already exists"));
    assert!(fault(rename(&roots, "sub", "sub/x", soon())).contains("within it"));
    assert!(fault(rename(&roots, "none", "x", soon())).starts_with("none: "));
    assert!(fault(rename(&roots, ".", "x", soon())).contains("has to stay"));
    assert!(fault(rename(&roots, "b", "/etc/x", soon())).contains("outside allowed directories"));
    // A link is moved as itself, and a name that is not text can be given a better one.
    rename(&roots, "link", "sub/link", soon()).unwrap();
    assert!(folder.path().join("sub/link").is_symlink() && folder.path().join("b").is_file());
    rename(&roots, "o\\xff", "even", soon()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("even")).unwrap(), "odd");
}

#[test]
fn a_limit_counts_what_is_moved_in() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(one.path().join("a")).unwrap();
    std::fs::write(one.path().join("a/b"), "x".repeat(100)).unwrap();
    let wanted = |path: &Path, max| Wanted { path: path.to_owned(), writable: true, max };
    let roots = Roots::open(&[wanted(one.path(), None), wanted(two.path(), Some(99))], None).unwrap();
    let to = two.path().join("a");
    assert!(fault(rename(&roots, "a", to.to_str().unwrap(), soon())).contains("99 are left"));
}

#[test]
fn trash_keeps_everything() {
    let (folder, roots) = root(|f| {
        std::fs::create_dir(f.join("sub")).unwrap();
        std::fs::write(f.join("sub/a b"), "1").unwrap();
    });
    let said = trash(&roots, "sub/a b").unwrap();
    let place = said.strip_prefix("Moved sub/a b to the trash: ").unwrap().to_owned();
    std::fs::write(folder.path().join("sub/a b"), "2").unwrap();
    let second = trash(&roots, "sub/a b").unwrap();
    assert!(second.ends_with("/files/a b.2"), "{second}");
    let note = place.replace("/files/", "/info/") + ".trashinfo";
    assert!(std::fs::read_to_string(note).unwrap().starts_with("[Trash Info]\nPath=sub/a%20b\nDeletionDate="));
    assert!(fault(trash(&roots, &place)).contains("in the trash already"));
    assert!(fault(trash(&roots, "none")).starts_with("none: "));
    rename(&roots, &place, "sub/a b", soon()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("sub/a b")).unwrap(), "1");
    trash(&roots, "sub").unwrap();
    assert!(!folder.path().join("sub").exists());
}
