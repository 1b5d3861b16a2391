use proptest::prelude::*;
use serde_json::json;

use super::*;

fn faults(text: &str) -> Vec<String> {
    parse(text).unwrap_err().into_iter().map(|fault| fault.message).collect()
}

fn part<'a>(text: &'a str, document: &Document, pointer: &str) -> &'a str {
    &text[document.spans.value(pointer)]
}

#[test]
fn values_and_their_places() {
    let text = "profile: ü-x # note\nservices:\n  - nginx:\n      http_port: 80\n  - \"m/c~p\"\nfiles: [{path: /a}]\nt: |\n  one\n  two\n\nlast: é\n";
    let document = parse(text).unwrap();
    assert_eq!(
        document.value,
        json!({"profile": "ü-x", "services": [{"nginx": {"http_port": 80}}, "m/c~p"], "files": [{"path": "/a"}],
               "t": "one\ntwo\n", "last": "é"})
    );
    assert_eq!(part(text, &document, "/profile"), "ü-x");
    assert_eq!(part(text, &document, "/services/0/nginx/http_port"), "80");
    assert_eq!(part(text, &document, "/services/0"), "nginx:\n      http_port: 80");
    assert_eq!(part(text, &document, "/services/1"), "\"m/c~p\"");
    assert_eq!(part(text, &document, "/files"), "[{path: /a}]");
    assert_eq!(part(text, &document, "/last"), "é");
    assert_eq!(&text[document.spans.key("/services/0/nginx")], "nginx");
    assert_eq!(&text[document.spans.key("/last")], "last");
}

#[test]
fn an_alias_stands_for_its_anchor() {
    let text = "a: &x [1, 2]\nb: *x\n";
    let document = parse(text).unwrap();
    assert_eq!(document.value, json!({"a": [1, 2], "b": [1, 2]}));
    assert_eq!(part(text, &document, "/b/1"), "*x");
}

#[test]
fn a_byte_order_mark_shifts_nothing() {
    let text = "\u{feff}a: bc\n";
    let document = parse(text).unwrap();
    assert_eq!(part(text, &document, "/a"), "bc");
}

#[test]
fn all_duplicates_at_once() {
    let text = "a: 1\nb: {c: 1, c: 2}\na: {x: 1, x: 2}\na: 3\n";
    assert_eq!(faults(text), ["duplicate key `c`", "duplicate key `a`", "duplicate key `x`", "duplicate key `a`"]);
}

#[test]
fn faults_of_each_kind() {
    for (text, message) in [
        ("", "there is nothing in it"),
        ("# only a remark\n", "there is nothing in it"),
        ("a: 1\n---\nb: 2\n", "a second YAML document"),
        ("a: !!str 1\n", "a YAML tag"),
        ("1: a\n", "a key that is not a string"),
        ("? [a]\n: b\n", "a key that is not a string"),
        ("---\n", "there is nothing in it"),
        ("# a\n%FOO\n---\na: 1\n", "a YAML directive"),
        ("%YAML 1.1\n---\na: 1\n", "a YAML directive"),
        ("a: .nan\n", "`.nan` is not a number that can be used"),
        ("a: &x [*x]\n", "an alias to something that holds it"),
    ] {
        assert_eq!(faults(text), [message], "{text}");
    }
    assert!(faults("a: b: c\n")[0].starts_with("not YAML: "));
    assert!(faults("a: *nobody\n")[0].starts_with("not YAML: "));
    assert!(parse("%YAML 1.2\n---\na: 1\n").is_ok());
    for text in ["a: *nobody\n", "a: 1\0b\n", "\0", "a: \0", "a: \"\0\"\nb: \0\n"] {
        let faults = parse(text).unwrap_err();
        assert!(faults.iter().all(|fault| fault.help.is_some()), "{text:?}: {faults:?}");
    }
}

#[test]
fn bombs_are_bounded() {
    let line = |i: usize| format!("a{i}: &a{i} [{}]", vec![format!("*a{}", i - 1); 9].join(", "));
    let laughs: Vec<String> = (1..40).map(line).collect();
    assert_eq!(
        faults(&format!("a0: &a0 [x, x]\n{}\n", laughs.join("\n"))),
        ["more than 100000 values, or more than 16 MiB of text"]
    );
    let long = format!("a: &a [{}]\nb: [{}]\n", "x".repeat(500_000), vec!["*a"; 20_000].join(", "));
    assert_eq!(faults(&long), ["more than 100000 values, or more than 16 MiB of text"]);
    assert_eq!(faults(&"[".repeat(100_000)), ["nested too deeply"]);
    assert_eq!(faults(&"- ".repeat(100_000)), ["nested deeper than 64 levels"]);
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn never_panics_on_yaml_like_text(parts in prop::collection::vec(
        prop::sample::select(vec!["a", "é", ": ", "- ", "\n", "  ", "&x ", "*x", "[", "]", "{", "}", ", ", "\"", "'", "|", ">", "#",
            "? ", "!t ", "---", "...", "%", "\t", "\r\n", "\0", "\u{feff}", "<<", "~", "1", "\\"]), 0..40)) {
        let text = parts.concat();
        if let (Some(document), _) = read(&text) {
            for (_, range) in document.spans.values() {
                prop_assert!(text.get(range.clone()).is_some());
            }
        }
    }
}
