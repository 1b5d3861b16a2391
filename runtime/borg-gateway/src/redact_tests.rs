use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pairs::tests::{forms, is_good, secret};

fn redactor() -> &'static Redactor {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new().unwrap());
    &REDACTOR
}

/// What is shown of a value where there is much room.
fn value_of(value: &Value) -> Value {
    redactor().value(value, &mut Room::new(100_000))
}

#[test]
fn keys_that_name_secrets_have_no_value() {
    let value = json!({
        "path": "note", "count": 3, "password": "hunter2", "Api-Key": 12345,
        "nested": [{"ACCESS_TOKEN": {"value": ["deep"]}, "ok": true}], "userPin": 1, "args": ["--pass", "x", "-v"],
        "env": [{"value": "x", "name": "DB_PASSWORD"}, {"name": "A", "value": "y"}],
    });
    let expected = json!({
        "path": "note", "count": 3, "password": GONE, "Api-Key": GONE,
        "nested": [{"ACCESS_TOKEN": GONE, "ok": true}], "userPin": GONE, "args": ["--pass", GONE, "-v"],
        "env": [{"value": GONE, "name": "DB_PASSWORD"}, {"name": "A", "value": "y"}],
    });
    assert_eq!(value_of(&value), expected);
}

#[test]
fn texts_lose_what_looks_like_a_secret() {
    let cases = [
        ("curl -H 'Authorization: Bearer abcdef012345'", "curl -H 'Authorization: [redacted]"),
        ("send Bearer abcdef012345 now", "send Bearer [redacted] now"),
        ("key sk-proj-0123456789abcdef", "key [redacted]"),
        ("ghp_0123456789abcdef01 and AKIAIOSFODNN7EXAMPLE", "[redacted] and [redacted]"),
        ("psql postgres://me:p@ss@db/x", "psql postgres://[redacted]@db/x"),
        ("git clone https://me:pa55@example.org/x", "git clone https://[redacted]@example.org/x"),
        (r#"{"user": "me", "password": "a \" b", "n": 1}"#, r#"{"user": "me", "password": [redacted], "n": 1}"#),
        (r#"{\"api_key\": \"abc\", \"n\": 1}"#, r#"{\"api_key\": [redacted], \"n\": 1}"#),
        (r#"{"hf_authorization": "abc", "n": 1}"#, r#"{"[redacted]": [redacted], "n": 1}"#),
        (r#"{\"hf_authorization\": \"abc\", \"n\": 1}"#, r#"{\"[redacted]\": [redacted], \"n\": 1}"#),
        ("DB_PASSWORD=hunter2\nDB_USER=me", "DB_PASSWORD=[redacted]\nDB_USER=me"),
        ("a task-list and a keyboard", "a task-list and a keyboard"),
        ("mail me@example.org", "mail me@example.org"),
    ];
    for (text, expected) in cases {
        assert_eq!(redactor().text(text), expected);
    }
}

#[test]
fn a_private_key_goes_even_when_its_end_is_not_seen() {
    let begin = "x -----BEGIN OPENSSH PRIVATE KEY-----\nabc";
    assert_eq!(redactor().text(begin), "x [redacted]");
    let whole = format!("{begin}\n-----END OPENSSH PRIVATE KEY----- y");
    assert_eq!(redactor().text(&whole), "x [redacted] y");
    let long = format!("{begin}{}", "d".repeat(2 * WINDOW));
    assert!(!redactor().text(&long).contains("ddd"));
}

#[test]
fn long_deep_and_many_are_cut() {
    let shown = redactor().text(&"ü".repeat(10_000));
    assert!(shown.len() < SHOWN + 30 && shown.ends_with("… (20000 bytes)"), "{shown}");
    let many = value_of(&json!(vec![1; 10_000]));
    assert_eq!((many.as_array().unwrap().len(), &many[VALUES - 1]), (VALUES, &json!(MORE)));
    let mut room = Room::new(1000);
    let short = redactor().value(&json!(vec!["\u{1}".repeat(40); 10]), &mut room).to_string();
    assert!(room.is_full && short.len() < 1000 + 300 && short.ends_with(r#","…"]"#), "{short}");
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert_eq!(value_of(&deep).to_string(), format!("{}\"…\"{}", "[".repeat(DEPTH), "]".repeat(DEPTH)));
}

fn secret_key() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec!["password", "token", "secret", "api_key", "authorization", "private_key"]);
    (names, "[a-z]{0,4}", any::<[bool; 32]>()).prop_map(|(name, before, upper)| {
        let name = format!("{before}_{name}");
        let dashed = upper[0];
        let case = |(at, c): (usize, char)| if upper[at % 32] { c.to_ascii_uppercase() } else { c };
        name.chars().map(|c| if c == '_' && dashed { '-' } else { c }).enumerate().map(case).collect()
    })
}

/// The secret under its key, somewhere in a value.
fn nested(key: String, secret: Value) -> impl Strategy<Value = Value> {
    let pair = json!({ "first": 1, key: secret });
    prop::collection::vec(any::<bool>(), 0..10).prop_map(move |levels| {
        levels.into_iter().fold(pair.clone(), |inner, list| if list { json!([0, inner]) } else { json!({"in": inner}) })
    })
}

proptest! {
    #[test]
    fn a_secret_under_its_key_never_comes_out(
        (secret, value) in ("[A-Z]\\PC{9,30}", secret_key()).prop_flat_map(|(secret, key)| {
            (Just(secret.clone()), nested(key, secret.into()))
        })
    ) {
        let redactor = redactor();
        // Of its end, too, nothing is left; as JSON in a text, and as JSON in JSON.
        let tail: String = secret.chars().skip(4).collect();
        let json = value.to_string();
        let twice = json!(json).to_string();
        let shown = [value_of(&value).to_string(), redactor.text(&json), redactor.text(&twice)];
        for shown in shown {
            prop_assert!(!shown.contains(&tail) && !shown.contains(json!(tail).to_string().trim_matches('"')), "{shown}");
        }
    }

    #[test]
    fn a_secret_beside_its_name_never_comes_out(secret in secret()) {
        for form in forms(&secret) {
            let text = format!("{}{}{}", form.0, form.1, form.2);
            let shown = redactor().text(&text);
            prop_assert!(is_good(&form, &shown), "{text:?}: {shown:?}");
        }
    }

    #[test]
    fn any_text_is_taken_and_stays_short(text in "\\PC{0,600}") {
        prop_assert!(redactor().text(&text).len() <= 2 * SHOWN);
    }
}
