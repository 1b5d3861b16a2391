use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn root(fill: impl Fn(&Path)) -> (TempDir, Roots) {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let roots = Roots::open(&[folder.path().to_owned()]).unwrap();
    (folder, roots)
}

fn fault(result: Result<String, Fault>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn head_and_tail_count_lines() {
    let (_folder, roots) = root(|f| std::fs::write(f.join("a"), "1\n2\n3").unwrap());
    assert_eq!(read_text(&roots, "a", Part::Whole).unwrap(), "1\n2\n3");
    assert_eq!(read_text(&roots, "a", Part::Head(2)).unwrap(), "1\n2\n");
    assert_eq!(read_text(&roots, "a", Part::Tail(2)).unwrap(), "2\n3");
    assert_eq!(read_text(&roots, "a", Part::Tail(0)).unwrap(), "");
}

#[test]
fn a_large_file_is_read_in_part_only() {
    let line = "x".repeat(1023) + "\n";
    let (_folder, roots) = root(|f| std::fs::write(f.join("a"), line.repeat(1025) + "end\n").unwrap());
    assert!(fault(read_text(&roots, "a", Part::Whole)).contains("ask for the first lines"));
    assert_eq!(read_text(&roots, "a", Part::Tail(1)).unwrap(), "end\n");
    assert_eq!(read_text(&roots, "a", Part::Head(2000)).unwrap().len() as u64, READ_LIMIT);
}

#[test]
fn links_that_leave_the_root_are_refused_and_those_within_are_followed() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    let (folder, roots) = root(|f| {
        symlink(outside.path(), f.join("absolute")).unwrap();
        symlink("../../../../../../etc/passwd", f.join("dots")).unwrap();
        symlink("/", f.join("top")).unwrap();
        symlink("/proc/self/cwd", f.join("magic")).unwrap();
        std::fs::write(f.join("file"), "inside").unwrap();
        symlink("file", f.join("within")).unwrap();
    });
    for path in ["absolute", "dots", "top/etc/passwd", "magic/x", "../x", "/etc/passwd"] {
        let message = fault(read_text(&roots, path, Part::Whole));
        assert!(message.contains("outside the allowed folder"), "{path}: {message}");
    }
    let sly = folder.path().join("../../etc/passwd");
    assert!(fault(read_text(&roots, sly.to_str().unwrap(), Part::Whole)).contains("outside"));
    assert!(fault(info(&roots, "absolute")).contains("outside"));
    assert_eq!(read_text(&roots, "within", Part::Whole).unwrap(), "inside");
}

#[test]
fn pipes_and_devices_are_refused_at_once() {
    let (_folder, roots) = root(|f| {
        let pipe = rustix::fs::CWD;
        rustix::fs::mkfifoat(pipe, f.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    });
    assert_eq!(fault(read_text(&roots, "pipe", Part::Whole)), "pipe: not a regular file but a pipe");
    let devices = Roots::open(&["/dev".into()]).unwrap();
    assert_eq!(fault(read_text(&devices, "zero", Part::Head(1))), "zero: not a regular file but a device");
    assert!(info(&roots, "pipe").unwrap().contains("isFile: false"));
}

#[test]
fn a_listing_is_sorted_and_survives_odd_names() {
    let (_folder, roots) = root(|f| {
        std::fs::create_dir(f.join("b")).unwrap();
        std::fs::write(f.join(std::ffi::OsStr::from_bytes(b"c\xff")), "").unwrap();
        symlink("b", f.join("a")).unwrap();
    });
    assert_eq!(list(&roots, ".").unwrap(), "[LINK] a\n[DIR] b\n[FILE] c\\xff\n");
    assert_eq!(fault(list(&roots, "none")), "none: No such file or directory (os error 2)");
}

#[test]
fn a_listing_is_bounded() {
    let (_folder, roots) = root(|f| {
        for n in 0..=ENTRY_LIMIT {
            std::fs::File::create(f.join(n.to_string())).unwrap();
        }
    });
    let text = list(&roots, "").unwrap();
    assert_eq!(text.lines().count(), ENTRY_LIMIT + 1);
    assert!(text.ends_with("there are more\n"));
}

#[test]
fn a_search_matches_paths_and_does_not_follow_links() {
    let (_folder, roots) = root(|f| {
        std::fs::create_dir_all(f.join("a/b")).unwrap();
        std::fs::create_dir(f.join("skip")).unwrap();
        for name in ["a/b/x.rs", "a/y.rs", "z.rs", "skip/w.rs"] {
            std::fs::write(f.join(name), "").unwrap();
        }
        symlink("..", f.join("a/loop")).unwrap();
    });
    let found = |pattern: &str| search(&roots, ".", pattern, &["skip".into()]).unwrap();
    assert_eq!(found("**/*.rs"), "./a/b/x.rs\n./a/y.rs\n./z.rs\n");
    assert_eq!(found("*.rs"), "./z.rs\n");
    assert_eq!(found("*.c"), "No matches found\n");
    assert!(fault(search(&roots, ".", "a***", &[])).starts_with("pattern a***"));
    assert!(fault(search(&roots, "none", "*", &[])).starts_with("none: No such file"));
}

proptest! {
    #[test]
    fn no_path_reads_what_lies_outside(path in "(/|\\.|\\.\\.|link|root|secret|/){1,12}") {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("root");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        symlink("..", inside.join("link")).unwrap();
        let roots = Roots::open(std::slice::from_ref(&inside)).unwrap();
        let absolute = format!("{}/{path}", inside.display());
        for path in [path.as_str(), absolute.as_str()] {
            prop_assert!(read_text(&roots, path, Part::Whole).is_err());
        }
    }
}
