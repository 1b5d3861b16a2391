//! A folder that is swapped for a symbolic link to one outside, all the time, while every tool works on it.

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

/// Exchanges the two names in one step, until told to end.
fn swap(one: &Path, two: &Path, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        renameat_with(CWD, one, CWD, two, RenameFlags::EXCHANGE).unwrap();
    }
}

#[test]
fn no_byte_comes_from_outside_and_none_goes_there() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("root"), folder.path().join("outside"));
    for (at, text) in [(&outside, OUTSIDE), (&inside.join("swap"), "inside")] {
        std::fs::create_dir_all(at).unwrap();
        std::fs::write(at.join("file"), text).unwrap();
    }
    std::fs::write(outside.join(OUTSIDE), OUTSIDE).unwrap();
    // Relative, so that it is the kernel that has to refuse it.
    symlink("../outside", inside.join("link")).unwrap();
    let roots = Roots::open(&[wanted(&inside)], None).unwrap();
    let end = AtomicBool::new(false);
    let (mut good, mut denied) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| swap(&inside.join("swap"), &inside.join("link"), &end));
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
    let path = "swap/file";
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
