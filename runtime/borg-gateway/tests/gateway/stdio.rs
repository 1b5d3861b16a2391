use borg_mcp::testing::Client;
use serde_json::json;

use crate::bench::{Bench, program};

/// A client that started the gateway.
fn client(bench: &Bench) -> Client {
    let config = bench.configure(&["files"], true);
    let client = Client::start(program().arg("--config").arg(config).arg("--stdio"));
    assert_eq!(client.hello["capabilities"]["tools"]["listChanged"], true, "{}", client.hello);
    client
}

#[test]
fn a_client_on_stdio_hears_of_changes_and_progress() {
    let bench = Bench::new();
    let mut client = client(&bench);
    bench.plugin("p", "tools slow");
    client.hear(|message| message["method"] == "notifications/tools/list_changed");
    let meta = json!({ "progressToken": "mine" });
    let call = json!({ "name": "slow", "arguments": {}, "_meta": meta });
    let id = client.begin("tools/call", &call);
    let progress = client.hear(|message| message["method"] == "notifications/progress");
    let expected = json!({ "progressToken": "mine", "progress": 1.0, "total": 2.0, "message": "half" });
    assert_eq!(progress["params"], expected);
    let answer = client.hear(|message| message["id"] == id);
    assert_eq!(answer["result"]["content"][0]["text"], r#"p "slow" {}"#);
    assert_eq!(bench.audit()[0]["caller"], json!({"by": "stdio"}));
}

#[test]
fn a_client_on_stdio_can_cancel_and_goes_on() {
    let bench = Bench::new();
    bench.plugin("p", "tools hang");
    let mut client = client(&bench);
    let id = client.begin("tools/call", &json!({ "name": "hang" }));
    bench.events.wait("start p", 1);
    std::thread::sleep(std::time::Duration::from_millis(500));
    client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }));
    bench.events.wait("cancelled p", 1);
    let answer = client.ask("tools/call", &json!({ "name": "read" }));
    assert_eq!(answer["content"][0]["text"], r#"files "read" {}"#);
}

#[test]
fn calls_of_a_client_on_stdio_that_leaves_are_over() {
    let bench = Bench::new();
    bench.plugin("p", "tools hang");
    let mut client = client(&bench);
    client.begin("tools/call", &json!({ "name": "hang" }));
    while bench.begun_and_ended().0.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(client.leave().success());
    let (begun, ended) = bench.begun_and_ended();
    assert_eq!((begun.len(), &begun[0]["id"]), (1, &ended[0]["id"]));
}
