use serde_json::json;

use crate::bench::Bench;

#[test]
fn servers_and_plugins_are_one_list() {
    let bench = Bench::new();
    bench.plugin("hello", "tools hello read");
    bench.plugin("other", "tools bye");
    let bench = bench.start(&["files"], true);
    assert_eq!(bench.names(), ["bye", "hello", "hello__read", "read", "refuse"]);
    assert_eq!(bench.text("read", json!({"path": "x"})), r#"files "read" {"path":"x"}"#);
    assert_eq!(bench.text("hello__read", json!({"n": 1})), r#"hello "read" {"n":1}"#);
    assert_eq!(bench.text("hello__hello", json!({})), r#"hello "hello" {}"#);
    // What a server says of its tools, and their results, come through whole.
    let tools = bench.ask("tools/list", json!({}));
    assert_eq!(tools["result"]["tools"][3]["annotations"], json!({"readOnlyHint": true}));
    assert_eq!(bench.call("read", json!({}))["result"]["structuredContent"], json!({"n": 1}));
}

#[test]
fn two_servers_may_have_the_same_tool() {
    let bench = Bench::new();
    crate::server::serve(&bench.path("serial.sock"), |_, question| {
        if question["method"] == "tools/list" {
            return crate::server::result(question, json!({ "tools": [crate::bench::tool("read")] }));
        }
        let text = format!("serial {}", question["params"]["name"]);
        crate::server::result(question, json!({ "content": [{ "type": "text", "text": text }] }))
    });
    let bench = bench.start(&["files", "serial"], true);
    assert_eq!(bench.names(), ["read", "refuse", "serial__read"]);
    assert_eq!(bench.text("serial__read", json!({})), r#"serial "read""#);
    assert_eq!(bench.text("files__read", json!({})), r#"files "read" {}"#);
}

#[test]
fn a_server_whose_list_is_too_long_is_named_and_left_out() {
    let bench = Bench::new();
    crate::server::serve(&bench.path("serial.sock"), |path, question| {
        if path == "/healthz" {
            return (200, "ok".into());
        }
        let tools: Vec<_> = (0..300).map(|n| crate::bench::tool(&format!("t{n}"))).collect();
        crate::server::result(question, json!({ "tools": tools }))
    });
    let mut bench = bench.start(&["files", "serial"], true);
    assert_eq!(bench.names(), ["read", "refuse"]);
    assert_eq!(bench.get("/healthz"), (503, "no good answer from: serial".into()));
    assert_eq!(bench.said(), "borg-gateway: server serial is left out: it has more than 256 tools\n");
}

#[test]
fn the_longest_answer_of_a_server_comes_through() {
    const LONGEST: usize = 16 * 1024 * 1024;
    let bench = Bench::new();
    crate::server::serve(&bench.path("serial.sock"), |_, question| {
        if question["method"] == "tools/list" {
            return crate::server::result(question, json!({ "tools": [crate::bench::tool("large")] }));
        }
        let text = "x".repeat(LONGEST);
        let content = json!([{ "type": "text", "text": text }]);
        crate::server::result(question, json!({ "content": content, "structuredContent": { "content": text } }))
    });
    let bench = bench.start(&["serial"], true);
    let answer = bench.call("large", json!({}));
    let length = |value: &serde_json::Value| value.as_str().map(str::len);
    let result = &answer["result"];
    assert_eq!(length(&result["content"][0]["text"]), Some(LONGEST));
    assert_eq!(length(&result["structuredContent"]["content"]), Some(LONGEST));
    let (_, ended) = bench.begun_and_ended();
    assert!(ended[0]["result"][0].as_str().unwrap().ends_with("x… (16777216 bytes)"), "{}", ended[0]);
}

#[test]
fn what_a_server_refuses_is_refused() {
    let bench = Bench::new().start(&["files"], true);
    assert_eq!(bench.call("refuse", json!({}))["error"]["message"], "not that");
    let unknown = bench.call("nothing", json!({}));
    assert_eq!(unknown["error"]["message"], "there is no tool nothing; tools/list names them");
}

#[test]
fn a_server_that_is_down_is_named_and_left_out() {
    let bench = Bench::new();
    bench.plugin("hello", "tools hello");
    let bench = bench.start(&["files", "serial"], true);
    // Nobody knows yet what `serial` has: plugins could take its names.
    assert_eq!(bench.names(), ["hello__hello", "read", "refuse"]);
    assert_eq!(bench.get("/healthz"), (503, "no good answer from: serial".into()));
    std::fs::remove_file(bench.path("files.sock")).unwrap();
    assert_eq!(bench.get("/healthz"), (503, "no good answer from: files, serial".into()));
    assert_eq!(bench.names(), ["hello__hello"]);
    assert!(bench.text("read", json!({})).starts_with("files does not answer: cannot reach "));
    // It is tried again, and keeps its names meanwhile.
    crate::server::serve(&bench.path("serial.sock"), |path, question| match path {
        "/healthz" => (200, "ok".into()),
        _ => crate::server::result(question, json!({ "tools": [crate::bench::tool("list_ports")] })),
    });
    bench.plugin("thief", "tools read");
    assert_eq!(bench.names(), ["hello", "list_ports", "thief__read"]);
    assert_eq!(bench.get("/healthz"), (503, "no good answer from: files".into()));
}
