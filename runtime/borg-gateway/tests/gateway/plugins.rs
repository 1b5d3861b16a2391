use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Bench;

fn report(bench: &Bench) -> Value {
    let (status, body) = bench.get("/plugins");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn plugins_are_found_changed_and_forgotten_without_a_restart() {
    let bench = Bench::new().start(&["files"], true);
    assert_eq!(report(&bench), json!({"plugins": []}));
    bench.plugin("hello", "tools hello");
    // Nobody asks, and it is started.
    bench.events.wait("start hello", 1);
    assert_eq!(bench.text("hello", json!({"n": 1})), r#"hello "hello" {"n":1}"#);
    bench.plugin("hello", "tools hello bye");
    bench.events.wait("end hello", 1);
    assert_eq!(bench.names(), ["bye", "hello", "read", "refuse"]);
    let ready = json!({"name": "hello", "state": "ready", "tools": ["bye", "hello"], "error": null});
    assert_eq!(report(&bench), json!({"plugins": [ready]}));
    std::fs::remove_file(bench.path("plugins").join("hello.py")).unwrap();
    assert_eq!(bench.names(), ["read", "refuse"]);
}

#[test]
fn a_client_over_http_subscribes_to_changes_by_the_newest_protocol() {
    let bench = Bench::new().start(&["files"], true);
    let info = json!({ "name": "test", "version": "1" });
    let hello =
        bench.ask("initialize", json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info }));
    // An older one cannot be told.
    assert_eq!(hello["result"]["capabilities"]["tools"], json!({}), "{hello}");
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": info,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "_meta": meta, "notifications": { "toolsListChanged": true } });
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen", "params": params }).to_string();
    let request = crate::bench::post("localhost", &[("Mcp-Method", "subscriptions/listen")], &body);
    let mut stream = UnixStream::connect(bench.path("mcp.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.replace("2025-06-18", "2026-07-28").as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let acknowledged = lines.find(|line| line.contains("acknowledged")).unwrap();
    assert!(acknowledged.contains(r#""toolsListChanged":true"#), "{acknowledged}");
    bench.plugin("hello", "tools hello");
    assert!(lines.any(|line| line.contains("notifications/tools/list_changed")));
}

#[test]
fn progress_comes_over_http_before_the_answer() {
    let bench = Bench::new().start(&["files"], true);
    bench.plugin("p", "tools slow");
    let params = json!({ "name": "p__slow", "_meta": { "progressToken": "mine" } });
    let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }).to_string();
    let stream = UnixStream::connect(bench.path("mcp.sock")).unwrap();
    let (status, body) = crate::bench::send(stream, &crate::bench::post("localhost", &[], &call));
    assert_eq!(status, 200, "{body}");
    let data = body.lines().filter_map(|line| line.strip_prefix("data:")).filter(|data| !data.trim().is_empty());
    let messages: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    let [progress, answer] = messages.as_slice() else { panic!("{body}") };
    let expected = json!({ "progressToken": "mine", "progress": 1.0, "total": 2.0, "message": "half" });
    assert_eq!((&progress["method"], &progress["params"]), (&json!("notifications/progress"), &expected));
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(7), &json!(r#"p "slow" {}"#)));
}

#[test]
fn what_is_wrong_with_a_plugin_is_reported_and_harms_no_other() {
    let bench = Bench::new();
    bench.plugin("bad", "broken SyntaxError: hello.py, line 3");
    bench.plugin("garbage", "garbage");
    bench.plugin("hello", "tools hello read");
    bench.plugin("proud", "tools x");
    std::fs::write(bench.path("plugins").join("proud.json"), r#"{"permissions": ["network"]}"#).unwrap();
    let bench = bench.start(&["files"], true);
    assert_eq!(bench.names(), ["hello", "hello__read", "read", "refuse"]);
    let report = report(&bench);
    let states: Vec<&Value> = report["plugins"].as_array().unwrap().iter().map(|plugin| &plugin["state"]).collect();
    assert_eq!(states, ["broken", "broken", "ready", "refused"]);
    assert!(report["plugins"][0]["error"].as_str().unwrap().contains("SyntaxError: hello.py, line 3"), "{report}");
    assert!(report["plugins"][3]["error"].as_str().unwrap().starts_with("asks for network"), "{report}");
    assert_eq!(bench.get("/healthz"), (200, "ok".into()));
}

#[test]
fn a_list_that_is_too_long_leaves_room_for_the_others() {
    let bench = Bench::new();
    bench.plugin("good", "tools hello");
    bench.plugin("large", "many 50 100000");
    bench.plugin("many", "many 300 1");
    let bench = bench.start(&["files"], true);
    assert_eq!(bench.names(), ["hello", "read", "refuse"]);
    let report = report(&bench);
    let faults: Vec<&Value> = report["plugins"].as_array().unwrap().iter().map(|plugin| &plugin["error"]).collect();
    let [long, many] = ["its list of tools is longer than 256 KiB", "it has more than 256 tools"];
    assert_eq!(faults, [&Value::Null, &json!(long), &json!(many)]);
}

/// The most memory that a process ever had, in KiB.
fn peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_flood_takes_no_memory_and_nobody_elses_time() {
    let bench = Bench::new();
    bench.plugin("bad", "tools flood chatter hang");
    bench.plugin("good", "tools hello");
    let bench = bench.start(&["files"], true);
    assert_eq!(bench.names().len(), 6);
    let before = peak(bench.id());
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| bench.text("hang", json!({})));
        for _ in 0..5 {
            let begin = Instant::now();
            assert_eq!(bench.text("hello", json!({})), r#"good "hello" {}"#);
            assert!(begin.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(bench.text("flood", json!({})), "plugin bad: it sent a line of more than 5 MiB");
        // All that wait for the same plugin are told at once.
        assert_eq!(hanging.join().unwrap(), "plugin bad: it sent a line of more than 5 MiB");
    });
    assert_eq!(bench.text("chatter", json!({})), "plugin bad: it sent 64 MiB that nobody asked for");
    assert_eq!(bench.text("hello", json!({})), r#"good "hello" {}"#);
    let grown = peak(bench.id()) - before;
    assert!(grown < 48 * 1024, "{grown} KiB");
}

#[test]
fn a_caller_who_leaves_cancels() {
    let bench = Bench::new();
    bench.plugin("p", "tools hang");
    let bench = bench.start(&["files"], true);
    assert_eq!(bench.names(), ["hang", "read", "refuse"]);
    let waiting = bench.begin("hang");
    bench.events.wait("start p", 1);
    std::thread::sleep(Duration::from_millis(500));
    drop(waiting);
    bench.events.wait("cancelled p", 1);
    // One that does not say that it is still there is ended.
    bench.events.wait("end p", 1);
    bench.wait_for_end("cancelled by the caller");
}
