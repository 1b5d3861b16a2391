use std::os::unix::fs::symlink;

use super::*;
use crate::testing::{fault, root, soon};

fn query(pattern: &str) -> Query {
    Query { pattern: pattern.into(), literal: false, ignore_case: false, include: vec![], exclude: vec![], max: 1000 }
}

#[test]
fn lines_are_found_with_their_numbers() {
    let (folder, roots) = root(|f| {
        std::fs::create_dir(f.join("sub")).unwrap();
        std::fs::write(f.join("a.log"), "one\nTwo\nthree.\n").unwrap();
        std::fs::write(f.join("sub/b.txt"), "two\n").unwrap();
        std::fs::write(f.join("binary"), "\0two\n").unwrap();
        symlink("a.log", f.join("link")).unwrap();
    });
    let base = folder.path().display();
    let found = |q: Query| search(&roots, ".", &q, soon()).unwrap();
    assert_eq!(found(query("^[tT]wo$")), format!("{base}/a.log:2:Two\n{base}/sub/b.txt:1:two"));
    assert_eq!(
        found(Query { include: vec!["*.log".into()], ignore_case: true, ..query("TWO") }),
        format!("{base}/a.log:2:Two")
    );
    assert_eq!(found(Query { literal: true, ..query("e.") }), format!("{base}/a.log:3:three."));
    assert_eq!(found(Query { exclude: vec!["sub".into()], ..query("two") }), "No matches found");
    assert_eq!(found(Query { max: 1, ..query("o") }), format!("{base}/a.log:1:one\n… cut short: there are more"));
    assert_eq!(search(&roots, "a.log", &query("one"), soon()).unwrap(), format!("{base}/a.log:1:one"));
}

#[test]
fn faults_are_told() {
    let (_folder, roots) = root(|_| ());
    assert!(fault(search(&roots, ".", &query("("), soon())).starts_with("pattern ("));
    assert!(fault(search(&roots, ".", &query("(a{1000}){1000}"), soon())).starts_with("pattern (a"));
    assert!(fault(search(&roots, "none", &query("a"), soon())).starts_with("none: No such"));
}

#[test]
fn what_is_endless_ends() {
    let (_folder, roots) = root(|f| {
        std::fs::File::create(f.join("sparse")).unwrap().set_len(1 << 40).unwrap();
        std::fs::write(f.join("line"), "x".repeat(3 << 20)).unwrap();
        std::fs::write(f.join("long"), format!("y{}", "ä".repeat(2000))).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, f.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    });
    assert_eq!(search(&roots, ".", &query("z"), soon()).unwrap(), "No matches found");
    let long = search(&roots, ".", &query("^y"), soon()).unwrap();
    assert!(long.ends_with("ä…") && long.len() < 2 * SHOWN + 300, "{long}");
    assert!(search(&roots, ".", &query("z"), Instant::now()).unwrap().ends_with("there are more"));
}
