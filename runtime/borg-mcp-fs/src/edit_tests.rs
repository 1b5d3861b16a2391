use proptest::prelude::*;

use super::*;
use crate::testing::{fault, root, soon};

fn edit(old: &str, new: &str) -> Edit {
    Edit { old_text: old.into(), new_text: new.into() }
}

#[test]
fn edits_apply_in_order_and_show_what_changes() {
    let (folder, roots) = root(|f| std::fs::write(f.join("a"), "1\n2\n3\n4\n5\n6\n7\n").unwrap());
    let edits = [edit("2", "two"), edit("two", "zwei"), edit("7\n", "7")];
    let path = folder.path().join("a").display().to_string();
    let expected = format!(
        "```diff\nIndex: {path}\n{}\n--- {path}\toriginal\n+++ {path}\tmodified\n@@ -1,7 +1,7 @@\n 1\n-2\n+zwei\n 3\n 4\n 5\n 6\n-7\n+7\n\\ No newline at end of file\n```\n\n",
        "=".repeat(67)
    );
    assert_eq!(file(&roots, "a", &edits, true, soon()).unwrap(), expected);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n4\n5\n6\n7\n");
    assert_eq!(file(&roots, "a", &edits, false, soon()).unwrap(), expected);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\nzwei\n3\n4\n5\n6\n7");
}

#[test]
fn all_edits_or_none() {
    let (folder, roots) = root(|f| std::fs::write(f.join("a"), "1").unwrap());
    let message = fault(file(&roots, "a", &[edit("1", "2"), edit("none", "")], false, soon()));
    assert_eq!(message, "Could not find exact match for edit:\nnone");
    assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap(), "1");
    assert!(fault(file(&roots, "none", &[], false, soon())).starts_with("none: "));
}

#[test]
fn lines_match_without_regard_to_their_indent() {
    assert_eq!(
        apply("  if a {\n    b();\n  }\n", &[edit("if a {\n  b();\n}", "if a {\n    c();\n}")]).unwrap(),
        "  if a {\n    c();\n}\n"
    );
}

#[test]
fn line_ends_and_other_bytes_are_kept() {
    let (folder, roots) = root(|f| {
        std::fs::write(f.join("dos"), "a\r\nb\r\n").unwrap();
        std::fs::write(f.join("latin"), b"a\xe4").unwrap();
    });
    file(&roots, "dos", &[edit("a\nb", "c\nd")], false, soon()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("dos")).unwrap(), "c\r\nd\r\n");
    assert!(fault(file(&roots, "latin", &[edit("a", "b")], false, soon())).contains("not UTF-8"));
}

#[test]
fn a_fence_is_longer_than_what_it_holds() {
    assert!(shown("a\n", "```\n", "x", soon()).starts_with("````diff\n"));
}

proptest! {
    #[test]
    fn no_edit_breaks_it(text in "[ab \\n\\r`ä]{0,30}", old in "[ab \\n]{0,6}", new in "[ab \\n]{0,6}") {
        if let Ok(changed) = apply(&unix(&text), &[edit(&old, &new)]) {
            let _ = shown(&text, &changed, "x", soon());
        }
    }
}
