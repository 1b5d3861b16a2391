//! The program as clients start it: over standard input and output, and over HTTP.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

mod watch;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use borg_mcp::testing::Client;
use serde_json::{Value, json};

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
    let mut client = Client::start(&mut program(folder.path(), &["--stdio"]));
    assert_eq!(client.hello["serverInfo"]["name"], "borg-mcp-fs");
    assert_eq!(client.ask("tools/list", &json!({}))["tools"].as_array().unwrap().len(), 18);
    assert_eq!(client.call("read_text_file", &json!({ "path": "note" }))["content"][0]["text"], "hello");
    assert!(client.leave().success());
}

#[test]
fn a_large_file_is_whole_in_both_places() {
    let folder = folder();
    let text = "a \"line\" ä\n".repeat(200_000);
    std::fs::write(folder.path().join("note"), &text).unwrap();
    let mut client = Client::start(&mut program(folder.path(), &["--stdio"]));
    let read: Value = serde_json::from_str(READ).unwrap();
    // A client may use a number again as soon as it has read the answer.
    for _ in 0..3 {
        client.say(&read);
        let answer = client.hear(|message| message["id"] == read["id"]);
        assert!(answer["result"]["content"][0]["text"] == text);
        assert!(answer["result"]["structuredContent"]["content"] == text);
    }
    assert!(client.leave().success());
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Starts on a free port and waits until it says where.
fn serve(root: &Path, more: &[&str]) -> (Child, String) {
    let mut token = tempfile::NamedTempFile::new().unwrap();
    writeln!(token, "{TOKEN}").unwrap();
    let args = ["--listen", "127.0.0.1:0", "--token-file", token.path().to_str().unwrap()];
    let mut child = program(root, &[&args, more].concat()).spawn().unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    said.read_line(&mut line).unwrap();
    if !more.is_empty() {
        // It says where the socket is when it is there.
        said.read_line(&mut String::new()).unwrap();
    }
    child.stderr = Some(said.into_inner());
    let address = line.trim().split_once("http://").and_then(|(_, rest)| rest.strip_suffix("/mcp")).unwrap();
    (child, address.to_owned())
}

/// By SIGTERM, which it has to obey.
fn end(child: &mut Child) {
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
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
    let (mut child, address) = serve(folder.path(), &[]);
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
    end(&mut child);
}

#[test]
fn a_root_that_is_not_there_is_named() {
    let output = program(Path::new("/none/at/all"), &["--stdio"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.starts_with("borg-mcp-fs: cannot open the root /none/at/all: No such file"), "{stderr}");
}

/// Sends a request without a token through a Unix socket, as the user with this id.
fn as_user(uid: u32, socket: &Path) -> String {
    let script = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode())
answer = b""
while part := s.recv(65536):
    answer += part
print(answer.decode())
"#;
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Accept: application/json, text/event-stream\r\nConnection: close\r\n\r\n{READ}",
        READ.len()
    );
    let mut python = Command::new("python3");
    std::os::unix::process::CommandExt::uid(&mut python, uid);
    let output = python.args(["-c", script]).arg(socket).arg(request).current_dir("/").output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_socket_is_for_root_and_its_own_user() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let socket = folder.path().join("socket");
    let (mut child, _) = serve(folder.path(), &["--socket", socket.to_str().unwrap()]);
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let own = nix::unistd::Uid::effective();
    let answer = as_user(own.as_raw(), &socket);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""text":"hello""#), "{answer}");
    // Another user is kept out by the mode, and is refused when that lets him in. Only root can try.
    if own.is_root() {
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        assert!(as_user(65534, &socket).contains("PermissionError"));
        std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
        let answer = as_user(65534, &socket);
        assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("hello"), "{answer}");
    }
    end(&mut child);
    assert!(!socket.exists());
}
