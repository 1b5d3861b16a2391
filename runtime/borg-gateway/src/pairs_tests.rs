use proptest::prelude::*;
use serde_json::json;

use super::*;

const GONE: &str = "[redacted]";

fn shown(text: &str) -> String {
    hide(text, GONE)
}

#[test]
fn a_value_goes_whole_and_nothing_else_does() {
    let cases = [
        ("DB_PASSWORD=hunter2,horse;battery\nDB_USER=me", "DB_PASSWORD=[redacted]\nDB_USER=me"),
        ("user=me password = a \"b\" c\nnext", "user=me password = [redacted]\nnext"),
        (r#"{"db_pass":"hunter3","n":1}"#, r#"{"db_pass":[redacted],"n":1}"#),
        (r#"{"pin": 1234}"#, r#"{"pin": [redacted]"#),
        (r#"{\"api_key\": \"a\\\"b\", \"n\": 1}"#, r#"{\"api_key\": [redacted], \"n\": 1}"#),
        ("secret: |\n  one\n\n   two\nuser: me", "secret: [redacted]\nuser: me"),
        ("a:\n  - token: >-\n      one\n    user: me\n", "a:\n  - token: [redacted]\n    user: me\n"),
        ("tokens:\n- one\n- two\nuser: me", "tokens:[redacted]\nuser: me"),
        ("password:\n  one\nuser: me", "password:[redacted]\nuser: me"),
        ("PASSWORD=one\\\ntwo\nUSER=me", "PASSWORD=[redacted]\nUSER=me"),
        ("PASSWORD=\"one\ntwo\"three four\nUSER=me", "PASSWORD=[redacted]\nUSER=me"),
        ("PASSWORD=\"one\" cmd", "PASSWORD=[redacted] cmd"),
        ("x = connect(password='a', host='b')", "x = connect(password=[redacted], host='b')"),
        ("mysql --password s3cr3t -h db", "mysql --password [redacted] -h db"),
        ("mysql --password 's3 cr3t'x -h db", "mysql --password [redacted] -h db"),
        ("x -token=a b", "x -token=[redacted]"),
        (r#"["--password", "a b", "-h"]"#, r#"["--password", [redacted], "-h"]"#),
        ("pwd: '\\'')'\nuser: me", "pwd: [redacted]\nuser: me"),
        ("mysql --pwd '\\'')x' -h db", "mysql --pwd [redacted] -h db"),
        ("API key: abc", "API key: [redacted]"),
        ("**Password:** abc", "**Password:[redacted]"),
        ("os.environ['PASSWORD'] = 'x'", "os.environ['PASSWORD'] = [redacted]"),
        ("Authorization: Basic abc\nAccept: */*", "Authorization: [redacted]\nAccept: */*"),
        ("PASSWORD=\nUSER=me", "PASSWORD=\nUSER=me"),
        ("compass: north, one-pass: 2 - 1", "compass: north, one-pass: [redacted]"),
        ("a task-list - token ring, 2024-01-02 x=y", "a task-list - token ring, 2024-01-02 x=y"),
        (r#"[{"name":"DB_PASSWORD","value":"x"}]"#, r#"[{"name":"DB_PASSWORD","value":[redacted]}]"#),
        (r#"{\"key\":\"apiKey\",\"value\":\"x\"}"#, r#"{\"key\":\"apiKey\",\"value\":[redacted]}"#),
        (
            "- name: DB_PASSWORD\n  value: x\n- name: A\n  value: y",
            "- name: DB_PASSWORD\n  value: [redacted]\n- name: A\n  value: y",
        ),
        (r#"<add key="password" value="x" n="y"/>"#, r#"<add key="password" value=[redacted] n="y"/>"#),
        ("<user>me</user><db:password>x</db:password>", "<user>me</user><db:password>[redacted]</db:password>"),
        ("<secret><![CDATA[x</secret>y]]></secret>z", "<secret>[redacted]</secret>z"),
        ("<secret a='1'>x</secret>z", "<secret a=[redacted]>[redacted]</secret>z"),
        ("<token>x<b>y</b></token>", "<token>[redacted]</token>"),
        ("<token/>x < secret> <password>x", "<token/>x < secret> <password>[redacted]"),
        ("--password", "--password"),
        ("", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn a_flag_is_one_with_a_name() {
    assert!(is_flag("--password") && is_flag("-token") && is_flag("--db-pass"));
    assert!(!is_flag("password") && !is_flag("--host") && !is_flag("--password=x") && !is_flag("-") && !is_flag(""));
}

/// A secret in a form, as what stands before it, itself as the form has it, and what stands after it.
type Form = (&'static str, String, &'static str);

/// Every form that can have this secret.
pub fn forms(secret: &str) -> Vec<Form> {
    let json = json!(secret).to_string();
    let plain = !secret.starts_with(['"', '\'', '\\', ' ', '\u{a0}']) && !secret.ends_with('\\');
    let twice = json!(json).to_string();
    let mut forms = vec![
        ("secret: |\n  ", format!("{secret}\n  {secret}"), "\nuser: me"),
        ("a:\n- passphrase: >+2\n    ", format!("{secret}\n\n     {secret}"), "\n  user: me"),
        (r#"{"db_pass":"#, json.clone(), r#","n":1}"#),
        (r#"{"n": 1, "userPin" : "#, json.clone(), "}"),
        (r#""{\"api_key\":"#, twice[1..twice.len() - 1].to_owned(), r#",\"n\":1}""#),
        ("pwd: ", format!("'{}'", secret.replace('\'', "''")), "\nuser: me"),
        ("mysql --password ", format!("'{}'", secret.replace('\'', r"'\''")), " -h db"),
        (r#"["mysql","--password","#, json.clone(), r#", "-h"]"#),
        (r#"{"name":"DB_PASSWORD","value":"#, json, "}"),
        ("<password>", secret.replace('&', "&amp;").replace('<', "&lt;"), "</password>"),
    ];
    if plain {
        forms.extend([
            ("DB_PASSWORD=", secret.to_owned(), "\nDB_USER=me"),
            ("token: ", secret.to_owned(), "\nuser: me"),
            ("- name: DB_PASSWORD\n  value: ", secret.to_owned(), "\n- name: DB_USER"),
            ("mysql --password=", secret.to_owned(), "\n"),
        ]);
    }
    forms
}

/// All that can be typed, and often what some form has to escape.
pub fn secret() -> impl Strategy<Value = String> {
    "(\\PC|[\"'\\\\ ,;]){1,40}".prop_filter("not blank", |secret| !secret.trim().is_empty())
}

/// What may come out: the secret gone, and what stands after it there or gone with it.
pub fn is_good((before, _, after): &Form, shown: &str) -> bool {
    // What says how the lines below are folded goes with them.
    let head = if before.starts_with('<') { before } else { before.trim_end_matches(['|', '>', '+', '2', '\n', ' ']) };
    let Some(rest) = shown.strip_prefix(head).map(str::trim_start) else { return false };
    rest.strip_prefix(GONE).is_some_and(|rest| rest.is_empty() || rest == *after)
}

proptest! {
    #[test]
    fn nothing_of_a_secret_is_left_whatever_is_in_it(secret in secret()) {
        for form in forms(&secret) {
            let text = format!("{}{}{}", form.0, form.1, form.2);
            prop_assert!(is_good(&form, &shown(&text)), "{text:?}: {:?}", shown(&text));
        }
    }

    #[test]
    fn any_text_is_taken(text in "(?s)([-\"'\\\\:=,<>/\n ]|password|value|pin|.){0,60}") {
        shown(&text);
    }
}
