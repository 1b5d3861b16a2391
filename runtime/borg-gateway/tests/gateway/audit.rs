use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::bench::{Bench, TOKEN, post, program};

#[test]
fn each_call_is_a_line_with_who_and_what() {
    let bench = Bench::new();
    bench.plugin("p", "tools hello die");
    let bench = bench.start(&["files"], true);
    bench.call("read", json!({"path": "a\n{\"tool\":\"forged\"}", "api-key": "S3CRETVALUE", "deep": [{"Token": 5}]}));
    bench.call("die", json!({}));
    bench.call("nothing", json!({}));
    let over_tcp = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hello"}}"#;
    bench.tcp(&post(&bench.address, &[("Authorization", &format!("Bearer {TOKEN}"))], over_tcp));
    let lines = bench.audit();
    assert_eq!(lines.len(), 4);
    let own = nix::unistd::Uid::effective().as_raw();
    let caller = json!({"by": "peer", "uid": own, "pid": std::process::id()});
    assert_eq!((&lines[0]["caller"], &lines[0]["source"]), (&caller, &json!("server files")));
    let arguments =
        json!({"path": "a\n{\"tool\":\"forged\"}", "api-key": "[redacted]", "deep": [{"Token": "[redacted]"}]});
    assert_eq!((&lines[0]["tool"], &lines[0]["arguments"]), (&json!("read"), &arguments));
    // The answer repeats the arguments as text.
    assert_eq!(lines[0]["ok"], true);
    assert!(!lines[0].to_string().contains("S3CRETVALUE"), "{}", lines[0]);
    assert_eq!((&lines[1]["ok"], &lines[1]["source"]), (&json!(false), &json!("plugin p")));
    assert_eq!(lines[1]["error"], "plugin p: it ended");
    assert_eq!((&lines[2]["ok"], &lines[2]["source"]), (&json!(false), &Value::Null));
    assert_eq!((&lines[3]["caller"], &lines[3]["ok"]), (&json!({"by": "token"}), &json!(true)));
    let mode = std::fs::metadata(bench.path("log").join("audit.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn without_a_file_lines_go_to_standard_error() {
    let mut bench = Bench::new().start(&["files"], false);
    bench.call("read", json!({"password": "S3CRETVALUE"}));
    let line: Value = serde_json::from_str(&bench.said()).unwrap();
    assert_eq!((&line["tool"], &line["arguments"]), (&json!("read"), &json!({"password": "[redacted]"})));
}

#[test]
fn a_log_that_cannot_be_written_keeps_it_from_starting() {
    let bench = Bench::new();
    let config = bench.configure(&[], true);
    std::fs::remove_dir(bench.path("log")).unwrap();
    let output = program().arg("--config").arg(config).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("borg-gateway: cannot write the audit log "), "{stderr}");
}
