//! The program as people start it, with a gateway and a plugin host that only pretend.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

#[path = "../../borg-gateway/tests/common/server.rs"]
mod server;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use server::{result, serve};
use tempfile::TempDir;

fn gateway(path: &str, question: &Value) -> (u16, Value) {
    if path == "/plugins" {
        let good = json!({ "name": "hello", "state": "ready", "tools": ["hello"], "error": null });
        let bad = json!({ "name": "sad", "state": "broken", "tools": [], "error": "Traceback:\n  sad.py, line 3\n" });
        return (200, json!({ "plugins": [good, bad] }));
    }
    if question["method"] == "tools/list" {
        let parameters = json!({ "count": { "type": "integer" }, "name": { "type": "string" } });
        let schema = json!({ "type": "object", "properties": parameters, "required": ["count"] });
        let hello = json!({ "name": "hello", "description": "Say hi.\nMore.", "inputSchema": schema });
        let ill = json!({ "name": "ill", "inputSchema": { "type": "object", "properties": {} } });
        return result(question, json!({ "tools": [hello, ill] }));
    }
    let (name, arguments) = (&question["params"]["name"], &question["params"]["arguments"]);
    let text = if name == "ill" { "I cannot \u{1b}[2J".to_owned() } else { format!("{name} {arguments}") };
    result(question, json!({ "content": [{ "type": "text", "text": text }], "isError": name == "ill" }))
}

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Bench(tempfile::tempdir().unwrap());
        serve(&bench.0.path().join("mcp.sock"), gateway);
        bench
    }

    /// The exit status, and what it said on standard output and standard error.
    fn borg(&self, args: &[&str]) -> (i32, String, String) {
        run(&self.0.path().join("mcp.sock"), args)
    }
}

fn run(socket: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_borg")).env("BORG_GATEWAY", socket).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn tools_are_shown_in_columns_and_as_json() {
    let bench = Bench::new();
    let (status, shown, _) = bench.borg(&["tools"]);
    assert_eq!((status, shown.as_str()), (0, "hello  count, name?  Say hi.\nill\n"));
    let (_, json, _) = bench.borg(&["tools", "--json"]);
    let tools: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(tools["tools"][0]["inputSchema"]["required"], json!(["count"]));
}

#[test]
fn a_call_prints_what_the_tool_answers() {
    let bench = Bench::new();
    let (status, shown, _) = bench.borg(&["call", "hello", "--arg", "count=3", "--arg", "name=5"]);
    assert_eq!((status, shown.as_str()), (0, "\"hello\" {\"count\":3,\"name\":\"5\"}\n"));
    let (_, json, _) = bench.borg(&["call", "hello", "--arg", "count=3", "--json"]);
    let result: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(result["content"][0]["text"], r#""hello" {"count":3}"#);
}

#[test]
fn a_tool_that_fails_says_so_on_standard_error() {
    let bench = Bench::new();
    let failed = (1, String::new(), "borg: ill: I cannot \\u{1b}[2J\n".to_owned());
    assert_eq!(bench.borg(&["call", "ill"]), failed);
    let (status, json, said) = bench.borg(&["call", "ill", "--json"]);
    assert_eq!((status, said.as_str()), (1, "borg: ill failed\n"));
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["isError"], true);
}

#[test]
fn what_is_wrong_with_the_command_line_is_named() {
    let bench = Bench::new();
    let cases: [(&[&str], &str); 5] = [
        (&["call", "helo"], "there is no tool helo (did you mean hello?)"),
        (&["call", "hello"], "hello needs count: add --arg count=…; its parameters: count, name?"),
        (&["call", "hello", "--arg", "count=many"], "--arg count=many: \"many\" is not of the type integer"),
        (&["call", "hello", "--arg", "cuont=1"], "hello has no cuont (did you mean count?)"),
        (&["cal"], "unrecognized subcommand 'cal'"),
    ];
    for (args, part) in cases {
        let (status, shown, said) = bench.borg(args);
        assert_eq!((status, shown.as_str()), (2, ""), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

#[test]
fn a_gateway_that_is_not_there_is_named() {
    let (status, _, said) = run(Path::new("/none/mcp.sock"), &["tools"]);
    assert_eq!(status, 3);
    assert!(
        said.starts_with("borg: cannot reach /none/mcp.sock: No such file") && said.contains("group borg"),
        "{said}"
    );
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mcp.sock");
    serve(&socket, |_, _| (403, "this socket is for root".into()));
    for command in [&["tools"][..], &["plugin", "list"]] {
        let (status, _, said) = run(&socket, command);
        assert_eq!((status, said.as_str()), (3, "borg: the gateway refuses: this socket is for root\n"));
    }
}

#[test]
fn plugins_are_shown_with_their_faults() {
    let bench = Bench::new();
    let (status, shown, _) = bench.borg(&["plugin", "list"]);
    let expected = "hello  ready   hello\nsad    broken\n\nsad: Traceback:\n  sad.py, line 3\n";
    assert_eq!((status, shown.as_str()), (0, expected));
    let (_, json, _) = bench.borg(&["plugin", "list", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["plugins"][1]["state"], "broken");
}

/// A plugin host that takes a file for good when it has a tool, and its question back.
fn host(socket: &Path) -> std::thread::JoinHandle<Value> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        let question: Value = serde_json::from_str(&line).unwrap();
        let good = question["check"]["source"].as_str().unwrap().contains("@Tool");
        let tool = json!({ "name": "hi", "description": "Say hi", "inputSchema": { "type": "object" } });
        let answer = if good { json!({ "tools": [tool] }) } else { json!({ "error": "Traceback\nNameError: x\n" }) };
        writeln!(stream, "{answer}").unwrap();
        question
    })
}

fn check(file: &str, source: &str) -> ((i32, String, String), Value) {
    let folder = tempfile::tempdir().unwrap();
    let (socket, path) = (folder.path().join("host.sock"), folder.path().join(file));
    let asked = host(&socket);
    std::fs::write(&path, source).unwrap();
    let args = ["plugin", "check", path.to_str().unwrap(), "--host", socket.to_str().unwrap()];
    let (status, shown, said) = run(Path::new("/none"), &args);
    let said = said.replace(&format!("{}/", folder.path().display()), "");
    ((status, shown, said), asked.join().unwrap())
}

#[test]
fn a_file_is_checked_by_the_host() {
    let (good, asked) = check("hello.py", "@Tool()");
    assert_eq!(good, (0, "hi    Say hi\n".into(), String::new()));
    assert_eq!(asked, json!({ "check": { "name": "hello.py", "source": "@Tool()" } }));
    let (bad, _) = check("hello.py", "x");
    assert_eq!(bad, (1, String::new(), "borg: hello.py does not run:\nTraceback\nNameError: x\n".into()));
}

#[test]
fn what_cannot_be_checked_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("My Tool.py");
    let (status, _, said) = run(Path::new("/none"), &["plugin", "check", path.to_str().unwrap()]);
    assert_eq!(status, 2);
    assert!(said.contains("cannot be a plugin's name"), "{said}");
    let path = folder.path().join("hello.py");
    std::fs::write(&path, "").unwrap();
    let (status, _, said) =
        run(Path::new("/none"), &["plugin", "check", path.to_str().unwrap(), "--host", "/none/host.sock"]);
    assert_eq!(status, 3);
    assert!(said.starts_with("borg: cannot ask the plugin host at /none/host.sock: No such file"), "{said}");
}
