use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;
use crate::testing::{fault, root, soon};

#[test]
fn a_listing_is_sorted_and_survives_odd_names() {
    let (_folder, roots) = root(|f| {
        std::fs::create_dir(f.join("b")).unwrap();
        for name in [&b"c\xff"[..], b"d\n[DIR] e"] {
            std::fs::write(f.join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        symlink("b", f.join("a")).unwrap();
    });
    assert_eq!(names(&roots, ".", soon()).unwrap(), "[FILE] a\n[DIR] b\n[FILE] c\\xff\n[FILE] d\\x0a[DIR] e");
    assert_eq!(fault(names(&roots, "none", soon())), "none: No such file or directory (os error 2)");
    assert_eq!(fault(names(&roots, "c\\xff", soon())), "c\\xff: not a directory but a file");
}

#[test]
fn a_hundred_thousand_entries_are_listed() {
    let (_folder, roots) = root(|f| {
        for n in 0..100_000 {
            rustix::fs::symlinkat("x", rustix::fs::CWD, f.join(format!("entry-{n:06}"))).unwrap();
        }
    });
    let text = names(&roots, "", soon()).unwrap();
    assert_eq!(text.lines().count(), 100_000);
    assert!(text.ends_with("[FILE] entry-099999"));
    assert_eq!(sizes(&roots, "", SortBy::Name, soon()).unwrap().lines().count(), 100_003);
    let early = names(&roots, "", Instant::now()).unwrap();
    assert!(early.ends_with("cut short: there are more"), "{early}");
}

#[test]
fn sizes_are_told_for_people() {
    let (_folder, roots) = root(|f| {
        std::fs::create_dir(f.join("B")).unwrap();
        std::fs::write(f.join("a"), "x".repeat(1536)).unwrap();
        std::fs::write(f.join("c"), "x").unwrap();
    });
    let expected = "[FILE] a                                 1.50 KB\n\
        [DIR] B                              \n\
        [FILE] c                                     1 B\n\n\
        Total: 2 files, 1 directories\nCombined size: 1.50 KB";
    assert_eq!(sizes(&roots, ".", SortBy::Name, soon()).unwrap(), expected);
    let by_size = sizes(&roots, ".", SortBy::Size, soon()).unwrap();
    let order: Vec<&str> = by_size.lines().take(3).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(order.last(), Some(&"c"), "{by_size}");
    for (bytes, text) in
        [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KB"), (1 << 40, "1.00 TB"), (1 << 50, "1024.00 TB")]
    {
        assert_eq!(size_text(bytes), text);
    }
}

#[test]
fn an_empty_folder_is_listed_as_such() {
    let (_folder, roots) = root(|_| ());
    assert_eq!(names(&roots, "", soon()).unwrap(), "");
    assert_eq!(sizes(&roots, "", SortBy::Name, soon()).unwrap(), "\nTotal: 0 files, 0 directories\nCombined size: 0 B");
}

#[test]
fn details_are_in_the_reference_servers_form() {
    let (_folder, roots) = root(|f| std::fs::write(f.join("a"), "xyz").unwrap());
    let text = info(&roots, "a").unwrap();
    let keys: Vec<&str> = text.lines().filter_map(|line| line.split_once(": ")).map(|(key, _)| key).collect();
    assert_eq!(keys, ["size", "created", "modified", "accessed", "isDirectory", "isFile", "permissions"]);
    assert!(text.contains("GMT+0000 (Coordinated Universal Time)"), "{text}");
}
