//! Clients that ask and do not read cost a bounded amount of memory, and for a bounded time others' turns.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{ours, peak};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const READ: &str =
    r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":"large"}}}"#;
/// In KiB; below what the unit allows.
const MEMORY: u64 = 256 * 1024;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large"), "\u{1}".repeat(2 << 20)).unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    // Else the first line that it says is not the address.
    std::fs::set_permissions(token, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

#[test]
#[ignore = "waits"]
fn on_stdio_it_stops_taking_requests() {
    let folder = folder();
    let mut child = ours(&[folder.path()]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        writeln!(input, "{initialize}\n{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}}").unwrap();
        (0..20_000_u32)
            .take_while(|n| writeln!(input, "{}", READ.replace("\"id\":3", &format!("\"id\":{}", n + 2))).is_ok())
            .count()
    });
    std::thread::sleep(Duration::from_secs(5));
    let peak = peak(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let sent = writer.join().unwrap();
    assert!(sent < 20_000, "all were taken");
    assert!(peak < MEMORY, "{peak} KiB");
}

fn serve(folder: &Path) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_borg-mcp-fs"))
        .arg("--root")
        .arg(folder)
        .args(["--listen", "127.0.0.1:0", "--token-file"])
        .arg(folder.join("token"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().split_once("http://").and_then(|(_, rest)| rest.strip_suffix("/mcp")).unwrap().to_owned();
    (child, address)
}

fn ask(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\n\r\n{READ}",
        READ.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
#[ignore = "waits"]
fn over_http_it_gives_up_on_them() {
    let folder = folder();
    let (mut child, address) = serve(folder.path());
    let mut sly = TcpStream::connect(&address).unwrap();
    write!(sly, "POST /mcp HTTP/1.1\r\nHost: x\r\n").unwrap();
    let silent: Vec<TcpStream> = (0..30).map(|_| ask(&address)).collect();
    std::thread::sleep(Duration::from_secs(2));
    let start = Instant::now();
    let mut answer = String::new();
    // The slots are taken; each is given up after ten seconds, and some of those who wait are turned away meanwhile.
    while !answer.contains("200 OK") && start.elapsed() < Duration::from_mins(2) {
        answer.clear();
        let _ = ask(&address).read_to_string(&mut answer);
    }
    let peak = peak(child.id());
    // Nor does one who never ends his headers stay for ever.
    let mut rest = Vec::new();
    sly.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    assert!(sly.read_to_end(&mut rest).is_ok() && rest.len() < 200);
    drop(silent);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answer.contains("200 OK") && answer.len() > 20 << 20, "{answer:.200}");
    assert!(peak < MEMORY, "{peak} KiB");
}
