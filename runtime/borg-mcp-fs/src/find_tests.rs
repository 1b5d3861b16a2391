use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;
use crate::testing::{fault, root, soon};

#[test]
fn a_search_matches_paths_and_does_not_follow_links() {
    let (folder, roots) = root(|f| {
        std::fs::create_dir_all(f.join("a/b")).unwrap();
        std::fs::create_dir(f.join("skip")).unwrap();
        for name in ["a/b/x.rs", "a/y.rs", "z.rs", "skip/w.rs"] {
            std::fs::write(f.join(name), "").unwrap();
        }
        symlink("..", f.join("a/loop")).unwrap();
    });
    let base = folder.path().display();
    let found = |pattern: &str| search(&roots, ".", pattern, &["skip".into()], soon()).unwrap();
    assert_eq!(found("**/*.rs"), format!("{base}/a/b/x.rs\n{base}/a/y.rs\n{base}/z.rs"));
    assert_eq!(found("*.rs"), format!("{base}/z.rs"));
    assert_eq!(found("*.c"), "No matches found");
    assert!(fault(search(&roots, ".", "{a", &[], soon())).starts_with("pattern {a"));
    assert!(fault(search(&roots, "none", "*", &[], soon())).starts_with("none: No such file"));
}

#[test]
fn a_search_goes_into_a_folder_whose_name_is_not_text() {
    let (folder, roots) = root(|f| {
        let odd = f.join(std::ffi::OsStr::from_bytes(b"o\xff"));
        std::fs::create_dir(&odd).unwrap();
        std::fs::write(odd.join("x"), "").unwrap();
    });
    let found = search(&roots, "", "**/x", &[], soon()).unwrap();
    assert_eq!(found, format!("{}/o\\xff/x", folder.path().display()));
}

#[test]
fn a_tree_is_json_in_the_reference_servers_form() {
    let (_folder, roots) = root(|f| {
        std::fs::create_dir_all(f.join("a/empty")).unwrap();
        std::fs::create_dir_all(f.join("a/node_modules/x")).unwrap();
        std::fs::write(f.join("a/\"quoted\""), "").unwrap();
        std::fs::write(f.join("b"), "").unwrap();
    });
    let text = tree(&roots, ".", &["node_modules".into()], soon()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let children = serde_json::json!([{"name": "\"quoted\"", "type": "file"}, {"name": "empty", "type": "directory", "children": []}]);
    let expected =
        serde_json::json!([{"name": "a", "type": "directory", "children": children}, {"name": "b", "type": "file"}]);
    assert_eq!(value, expected);
    assert_eq!(text, serde_json::to_string_pretty(&expected).unwrap());
    assert_eq!(tree(&roots, "a/empty", &[], soon()).unwrap(), "[]");
}

#[test]
fn half_a_tree_is_a_fault() {
    let (_folder, roots) = root(|f| {
        for n in 0..2000 {
            std::fs::write(f.join(n.to_string()), "").unwrap();
        }
    });
    assert!(fault(tree(&roots, ".", &[], std::time::Instant::now())).contains("in time"));
    assert!(search(&roots, ".", "*", &[], std::time::Instant::now()).unwrap().ends_with("there are more"));
}

#[test]
fn a_deep_chain_of_folders_ends() {
    let (folder, roots) = root(|_| ());
    let mut dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
    for _ in 0..3000 {
        dir.create_dir("d").unwrap();
        dir = dir.open_dir("d").unwrap();
    }
    let found = search(&roots, ".", "**/d", &[], soon()).unwrap();
    // As deep as a path can name it.
    assert!((1000..=2100).contains(&found.lines().count()), "{}", found.lines().count());
    assert!(tree(&roots, ".", &[], soon()).is_ok_and(|text| text.len() < ANSWER_LIMIT) || found.len() > 1000);
    // rm -rf copes with such depth, TempDir's own does too, but slowly.
    std::process::Command::new("rm").arg("-rf").arg(folder.path()).status().unwrap();
}
