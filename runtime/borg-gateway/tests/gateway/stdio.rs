use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::bench::{Bench, program};

/// A client that started the gateway.
struct Client {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(bench: &Bench) -> Self {
        let config = bench.configure(&["files"], true);
        let mut command = program();
        let mut child = command
            .arg("--config")
            .arg(config)
            .arg("--stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut client = Client { child, input, output };
        let info = json!({ "name": "test", "version": "1" });
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info });
        client.say(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello }));
        let answer = client.hear(|message| message["id"] == 0);
        assert_eq!(answer["result"]["capabilities"]["tools"]["listChanged"], true, "{answer}");
        client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }

    /// Reads until a message is such.
    fn hear(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message: Value = serde_json::from_str(&self.output.next().unwrap().unwrap()).unwrap();
            if is_it(&message) {
                return message;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_client_on_stdio_hears_of_changes_and_progress() {
    let bench = Bench::new();
    let mut client = Client::start(&bench);
    bench.plugin("p", "tools slow");
    client.hear(|message| message["method"] == "notifications/tools/list_changed");
    let meta = json!({ "progressToken": "mine" });
    let call = json!({ "name": "slow", "arguments": {}, "_meta": meta });
    client.say(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call }));
    let progress = client.hear(|message| message["method"] == "notifications/progress");
    let expected = json!({ "progressToken": "mine", "progress": 1.0, "total": 2.0, "message": "half" });
    assert_eq!(progress["params"], expected);
    let answer = client.hear(|message| message["id"] == 1);
    assert_eq!(answer["result"]["content"][0]["text"], r#"p "slow" {}"#);
    assert_eq!(bench.audit()[0]["caller"], json!({"by": "stdio"}));
}

#[test]
fn a_client_on_stdio_can_cancel_and_goes_on() {
    let bench = Bench::new();
    bench.plugin("p", "tools hang");
    let mut client = Client::start(&bench);
    client.say(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "hang" } }));
    bench.events.wait("start p", 1);
    std::thread::sleep(std::time::Duration::from_millis(500));
    client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } }));
    bench.events.wait("cancelled p", 1);
    client.say(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "read" } }));
    let answer = client.hear(|message| message["id"] == 2);
    assert_eq!(answer["result"]["content"][0]["text"], r#"files "read" {}"#);
}
