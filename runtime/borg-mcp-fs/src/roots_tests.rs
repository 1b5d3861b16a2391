use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::read::{Part, text};
use crate::testing::{fault, root, soon, wanted};

#[test]
fn a_root_is_a_prefix_of_components_not_of_text() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("data"), folder.path().join("data-secret"));
    std::fs::create_dir(&one).unwrap();
    std::fs::create_dir(&two).unwrap();
    std::fs::write(two.join("key"), "x").unwrap();
    let roots = Roots::open(&[wanted(&one)], None).unwrap();
    let fault = fault(roots.open_read(two.join("key").to_str().unwrap()));
    assert!(fault.contains("outside allowed directories"), "{fault}");
}

#[test]
fn the_longest_root_wins_and_a_link_to_a_root_is_a_name_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    symlink(&inner, folder.path().join("link")).unwrap();
    let roots = Roots::open(&[wanted(folder.path()), wanted(&inner)], None).unwrap();
    let located = roots.locate(inner.join("c").to_str().unwrap()).unwrap();
    assert_eq!((located.root.path.as_path(), located.below.as_path()), (inner.as_path(), Path::new("c")));
    let link = folder.path().join("link");
    let roots = Roots::open(&[wanted(&link)], None).unwrap();
    assert_eq!(roots.names(), [link.as_path(), inner.as_path()]);
    for name in [link.as_path(), inner.as_path()] {
        assert_eq!(roots.locate(name.to_str().unwrap()).unwrap().below, Path::new("."));
    }
}

#[test]
fn roots_that_cannot_be_are_refused() {
    let refused = |path: &str| Roots::open(&[wanted(Path::new(path))], None).unwrap_err().to_string();
    assert!(refused("/none/at/all").starts_with("cannot open the root /none/at/all: No such file"));
    for path in ["/", "/etc", "/proc/self/root", "/usr/share", "/dev"] {
        assert!(refused(path).contains("give a folder for data"), "{path}");
    }
}

/// The outer root reaches the inner one's files through a link, and would do so by its own rights.
#[test]
fn a_root_in_another_has_the_same_rights() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("kept");
    std::fs::create_dir(&inner).unwrap();
    let mut read_only = wanted(&inner);
    read_only.writable = false;
    for both in [[wanted(folder.path()), read_only.clone()], [read_only, wanted(folder.path())]] {
        let refused = Roots::open(&both, None).unwrap_err().to_string();
        assert!(refused.contains("kept: lies in ") && refused.contains("serve them apart"), "{refused}");
    }
    assert!(Roots::open(&[wanted(folder.path()), wanted(&inner)], None).is_ok());
}

#[test]
fn links_that_leave_the_root_are_refused_and_those_within_are_followed() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let (folder, roots) = root(|f| {
        symlink(outside.path(), f.join("absolute")).unwrap();
        symlink("../../../../../../etc/passwd", f.join("dots")).unwrap();
        symlink("/", f.join("top")).unwrap();
        symlink("/proc/self/cwd", f.join("magic")).unwrap();
        symlink("/proc/self/root", f.join("magic-root")).unwrap();
        std::fs::write(f.join("file"), "inside").unwrap();
        symlink("file", f.join("within")).unwrap();
        std::fs::create_dir(f.join("sub")).unwrap();
        symlink(f, f.join("sub/up")).unwrap();
        symlink(f.join("file"), f.join("sub/absolute-within")).unwrap();
        symlink(f.join("sub/../sub/endless"), f.join("sub/endless")).unwrap();
        symlink(f.join("../x"), f.join("sub/sly")).unwrap();
    });
    let paths = [
        "absolute",
        "dots",
        "top/etc/passwd",
        "magic/x",
        "magic-root/etc/passwd",
        "../x",
        "/etc/passwd",
        "/proc/self/root/etc/passwd",
        "/proc/self/fd/3",
        "sub/up/top/etc/passwd",
        "sub/up/sub/sly",
    ];
    for path in paths {
        let message = fault(text(&roots, path, Part::Whole));
        assert!(message.contains("outside allowed directories"), "{path}: {message}");
        let written = fault(crate::write::file(&roots, path, "x", soon()));
        assert!(written.contains("outside allowed directories"), "{path}: {written}");
    }
    let sly = folder.path().join("../../etc/passwd");
    assert!(fault(text(&roots, sly.to_str().unwrap(), Part::Whole)).contains("outside"));
    assert!(fault(crate::list::info(&roots, "absolute")).contains("outside"));
    for path in ["within", "sub/up/within", "sub/absolute-within", "sub/up/sub/up/file"] {
        assert_eq!(text(&roots, path, Part::Whole).unwrap(), "inside", "{path}");
        assert!(crate::list::info(&roots, path).unwrap().starts_with("size: 6\n"), "{path}");
    }
    assert!(text(&roots, "sub/endless", Part::Whole).is_err());
    crate::write::file(&roots, "sub/up/new", "x", soon()).unwrap();
    assert!(folder.path().join("new").is_file());
    assert_eq!(std::fs::read_to_string(outside.path()).unwrap(), "");
}

#[test]
fn a_nul_and_a_path_without_end_are_faults() {
    let (_folder, roots) = root(|_| ());
    for path in ["a\0b".to_owned(), "x/".repeat(5000), "x".repeat(300)] {
        assert!(text(&roots, &path, Part::Whole).is_err());
        assert!(crate::write::file(&roots, &path, "", soon()).is_err());
        assert!(crate::shift::trash(&roots, &path).is_err());
    }
}

proptest! {
    #[test]
    fn no_path_reads_or_writes_what_lies_outside(path in "(/|\\.|\\.\\.|link|root|secret|~|\\\\x2e|/){1,12}") {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("root");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        symlink("..", inside.join("link")).unwrap();
        let roots = Roots::open(&[wanted(&inside)], Some(folder.path().to_owned())).unwrap();
        let absolute = format!("{}/{path}", inside.display());
        for path in [path.as_str(), absolute.as_str()] {
            prop_assert_ne!(text(&roots, path, Part::Whole).unwrap_or_default(), "secret");
            let _ = crate::write::file(&roots, path, "changed", soon());
            let _ = crate::write::append(&roots, path, "changed", soon());
            let _ = crate::shift::rename(&roots, path, "moved", soon());
            let _ = crate::shift::trash(&roots, path);
        }
        prop_assert_eq!(std::fs::read_to_string(folder.path().join("secret")).unwrap(), "secret");
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
