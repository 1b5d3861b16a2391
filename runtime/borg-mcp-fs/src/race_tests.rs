//! A folder, a file and a folder further down that are swapped for symbolic links to outside, all the time, while every tool
//! works on them. `.ci/race-mcp` does the same to the whole program, and to the reference server.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::content::Query;
use crate::read::Part;
use crate::roots::Roots;
use crate::testing::{soon, wanted};
use crate::{content, edit, find, list, read, shift, write};

const OUTSIDE: &str = "OUTSIDE";

/// More of them by `RACE_ATTEMPTS`.
fn attempts() -> usize {
    std::env::var("RACE_ATTEMPTS").ok().and_then(|count| count.parse().ok()).unwrap_or(3000)
}

/// Each a name, that of a symbolic link, and where this leads: relative, so that it is the kernel that has to refuse it.
const PAIRS: [(&str, &str, &str); 3] = [
    ("swap", "link", "../outside"),
    ("file", "file-link", "../outside/file"),
    ("deep/swap", "deep/link", "../../outside"),
];

/// Exchanges the two names of each pair in one step, until told to end.
fn swap(root: &Path, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        for (one, two, target) in PAIRS {
            let (one, two) = (root.join(one), root.join(two));
            renameat_with(CWD, &one, CWD, &two, RenameFlags::EXCHANGE).unwrap();
            // A write may have put a file where the link was.
            if !one.is_symlink() && !two.is_symlink() {
                std::fs::remove_file(&two).unwrap();
                symlink(target, &two).unwrap();
            }
        }
    }
}

#[test]
pub fn no_byte_comes_from_outside_and_none_goes_there() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("root"), folder.path().join("outside"));
    for (at, text) in [(&outside, OUTSIDE), (&inside.join("swap"), "inside"), (&inside.join("deep/swap"), "inside")] {
        std::fs::create_dir_all(at).unwrap();
        std::fs::write(at.join("file"), text).unwrap();
    }
    std::fs::write(inside.join("file"), "inside").unwrap();
    std::fs::write(outside.join(OUTSIDE), OUTSIDE).unwrap();
    for (_, link, target) in PAIRS {
        symlink(target, inside.join(link)).unwrap();
    }
    let roots = Roots::open(&[wanted(&inside)], None).unwrap();
    let end = AtomicBool::new(false);
    let (mut good, mut denied) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&inside, &end));
        for attempt in 0..attempts() {
            for text in answers(&roots, attempt) {
                assert!(!text.contains(OUTSIDE), "attempt {attempt}: {text}");
                if text.contains("denied") { denied += 1 } else { good += 1 }
            }
        }
        end.store(true, Ordering::Relaxed);
    });
    assert!(good > 0 && denied > 0, "no race: {good} good, {denied} denied");
    let mut left: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [OUTSIDE, "file"]);
    assert_eq!(std::fs::read_to_string(outside.join("file")).unwrap(), OUTSIDE);
}

/// What the tools say, faults included.
fn answers(roots: &Roots, attempt: usize) -> Vec<String> {
    let path = ["swap/file", "file", "deep/swap/file"][attempt % 3];
    let query =
        Query { pattern: ".".into(), literal: false, ignore_case: false, include: vec![], exclude: vec![], max: 9 };
    let edit = edit::Edit { old_text: "i".into(), new_text: "j".into() };
    let mut results = vec![
        read::text(roots, path, Part::Whole),
        read::text(roots, path, Part::Tail(1)),
        list::names(roots, "swap", soon()),
        content::search(roots, ".", &query, soon()),
        edit::file(roots, path, &[edit], true, soon()),
    ];
    // Changes, now and then: each is followed by a sync.
    if attempt.is_multiple_of(16) {
        results.push(find::search(roots, "swap", "**", &[], soon()));
        results.push(write::file(roots, path, "inside", soon()));
        results.push(write::append(roots, path, "i", soon()));
        results.push(shift::make_folder(roots, "swap/made"));
        results.push(shift::rename(roots, "swap/made", "made", soon()));
        results.push(shift::rename(roots, "made", "swap/made", soon()));
        results.push(shift::trash(roots, "swap/made"));
    }
    results.into_iter().map(|result| result.unwrap_or_else(|fault| fault.to_string())).collect()
}
