//! The program as clients start it: over standard input and output, and over HTTP.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
const READ: &str =
    r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":"note"}}}"#;

fn program(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_borg-mcp-fs"));
    command.arg("--root").arg(root).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("note"), "hello").unwrap();
    folder
}

#[test]
fn a_client_on_stdio_is_served_until_it_leaves() {
    let folder = folder();
    let mut child = program(folder.path(), &["--stdio"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answer = |request: &str| -> Value {
        writeln!(input, "{request}").unwrap();
        serde_json::from_str(&output.next().unwrap().unwrap()).unwrap()
    };
    assert_eq!(answer(INITIALIZE)["result"]["serverInfo"]["name"], "borg-mcp-fs");
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let listed = answer(&format!("{initialized}\n{list}"));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 18);
    assert_eq!(answer(READ)["result"]["content"][0]["text"], "hello");
    drop(input);
    assert!(child.wait().unwrap().success());
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Starts on a free port and waits until it says where.
fn serve(root: &Path) -> (Child, String) {
    let mut token = tempfile::NamedTempFile::new().unwrap();
    writeln!(token, "{TOKEN}").unwrap();
    let args = ["--listen", "127.0.0.1:0", "--token-file", token.path().to_str().unwrap()];
    let mut child = program(root, &args).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().split_once("http://").and_then(|(_, rest)| rest.strip_suffix("/mcp")).unwrap();
    (child, address.to_owned())
}

fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn http_is_served_until_sigterm() {
    let folder = folder();
    let (mut child, address) = serve(folder.path());
    let health = exchange(&address, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("\r\n\r\nok"), "{health}");
    let post = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Accept: application/json, text/event-stream\r\nConnection: close\r\n\r\n{READ}",
        READ.len()
    );
    assert!(exchange(&address, &post).contains(r#""text":"hello""#));
    // A client that stays connected does not hold up the end.
    let _idle = TcpStream::connect(&address).unwrap();
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_root_that_is_not_there_is_named() {
    let output = program(Path::new("/none/at/all"), &["--stdio"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("borg-mcp-fs: cannot open the root /none/at/all: No such file"), "{stderr}");
}
