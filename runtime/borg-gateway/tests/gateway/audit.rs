use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bench::{Bench, TOKEN, post, program};

#[test]
fn each_call_is_two_lines_with_who_and_what() {
    let bench = Bench::new();
    bench.plugin("p", "tools hello die");
    let bench = bench.start(&["files"], true);
    bench.call("read", json!({"path": "a\n{\"tool\":\"forged\"}", "api-key": "S3CRETVALUE", "deep": [{"Token": 5}]}));
    bench.call("die", json!({}));
    bench.call("nothing", json!({}));
    let over_tcp = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hello"}}"#;
    bench.tcp(&post(&bench.address, &[("Authorization", &format!("Bearer {TOKEN}"))], over_tcp));
    let (begun, lines) = bench.begun_and_ended();
    let ids = |lines: &[Value]| lines.iter().map(|line| line["id"].clone()).collect::<Vec<_>>();
    assert_eq!((lines.len(), ids(&begun)), (4, ids(&lines)));
    let own = nix::unistd::Uid::effective().as_raw();
    let caller = json!({"by": "peer", "uid": own, "pid": std::process::id()});
    assert_eq!((&lines[0]["caller"], &lines[0]["source"]), (&caller, &json!("server files")));
    let arguments =
        json!({"path": "a\n{\"tool\":\"forged\"}", "api-key": "[redacted]", "deep": [{"Token": "[redacted]"}]});
    assert_eq!((&begun[0]["tool"], &begun[0]["arguments"]), (&json!("read"), &arguments));
    // The answer repeats the arguments as text.
    assert_eq!(lines[0]["ok"], true);
    assert!(!begun[0].to_string().contains("S3CRETVALUE"), "{}", begun[0]);
    assert!(!lines[0].to_string().contains("S3CRETVALUE"), "{}", lines[0]);
    assert_eq!((&lines[1]["ok"], &lines[1]["source"]), (&json!(false), &json!("plugin p")));
    assert_eq!(lines[1]["error"], "plugin p: it ended");
    assert_eq!((&lines[2]["ok"], &lines[2]["source"]), (&json!(false), &Value::Null));
    assert_eq!((&lines[3]["caller"], &lines[3]["ok"]), (&json!({"by": "token"}), &json!(true)));
    let mode = std::fs::metadata(bench.path("log").join("audit.log")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn a_call_is_written_down_before_it_is_made() {
    let bench = Bench::new();
    bench.plugin("p", "tools hang");
    let mut bench = bench.start(&["files"], true);
    assert_eq!(bench.names().len(), 3);
    let _waiting = bench.begin("hang");
    while bench.begun_and_ended().0.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bench.signal(Signal::SIGKILL);
    let (begun, ended) = bench.begun_and_ended();
    assert_eq!((begun.len(), ended.len()), (1, 0));
    assert_eq!((&begun[0]["tool"], &begun[0]["source"]), (&json!("hang"), &json!("plugin p")));
}

/// A server that does not answer calls for a while.
fn slow(path: &str, question: &Value) -> (u16, Value) {
    if path != "/healthz" && question["method"] == "tools/call" {
        std::thread::sleep(std::time::Duration::from_secs(5));
    }
    crate::server::result(question, json!({ "tools": [crate::bench::tool("write")] }))
}

#[test]
fn a_server_is_not_said_to_have_stopped_when_its_caller_left() {
    let bench = Bench::new();
    crate::server::serve(&bench.path("serial.sock"), slow);
    let bench = bench.start(&["serial"], true);
    assert_eq!(bench.names(), ["write"]);
    let waiting = bench.begin("write");
    while bench.begun_and_ended().0.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(waiting);
    bench.wait_for_end("the caller left; it may have been done");
}

#[test]
fn who_stops_the_gateway_is_not_taken_for_the_caller() {
    let bench = Bench::new();
    bench.plugin("p", "tools hang");
    crate::server::serve(&bench.path("serial.sock"), slow);
    let mut bench = bench.start(&["serial"], true);
    assert_eq!(bench.names(), ["hang", "write"]);
    let _waiting = [bench.begin("hang"), bench.begin("write")];
    while bench.begun_and_ended().0.len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bench.signal(Signal::SIGTERM);
    let (_, ended) = bench.begun_and_ended();
    let errors: Vec<&Value> = ended.iter().map(|line| &line["error"]).collect();
    assert_eq!(errors, ["the gateway was stopped; it may have been done"; 2]);
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
