//! Clients are told of new lines, over every transport.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use borg_mcp::testing::{Client, INITIALIZE, LISTEN, TOKEN, listen_request, post};
use nix::pty::PtyMaster;
use serde_json::{Value, json};

use super::{client, pty, wait_for_port};

const UPDATED: &str = "notifications/resources/updated";

/// A port on which somebody talks, and its URI.
fn port(folder: &Path) -> (PtyMaster, String, Value) {
    let link = folder.join("port");
    let master = pty(&link);
    let config = json!({ "ports": [{ "device": link }] });
    (master, format!("serial://{}", link.display()), config)
}

#[test]
fn a_session_on_stdio_is_told_what_it_subscribed_to() {
    let folder = tempfile::tempdir().unwrap();
    let (mut master, uri, config) = port(folder.path());
    let mut client: Client = client(&config, folder.path());
    assert_eq!(client.hello["capabilities"]["resources"]["subscribe"], true);
    wait_for_port(&mut client);
    let foreign = client.begin("resources/subscribe", &json!({ "uri": "file:///etc/passwd" }));
    let refused = client.hear(|message| message["id"] == foreign);
    assert!(refused["error"]["message"].as_str().unwrap().contains("not the URI of a port"), "{refused}");
    // A port that is not there yet may be wanted too.
    for wanted in [uri.as_str(), "serial:///dev/ttyUSB99", &uri] {
        assert_eq!(client.ask("resources/subscribe", &json!({ "uri": wanted })), json!({}));
    }
    for line in ["one\n", "two\n"] {
        master.write_all(line.as_bytes()).unwrap();
        let told = client.hear(|_| true);
        assert_eq!((&told["method"], &told["params"]), (&json!(UPDATED), &json!({ "uri": uri })));
        let read = client.ask("resources/read", &json!({ "uri": uri }));
        assert!(read["contents"][0]["text"].as_str().unwrap().ends_with(line), "{read}");
    }
    assert_eq!(client.ask("resources/unsubscribe", &json!({ "uri": uri })), json!({}));
    master.write_all(b"three\n").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // The next that it says is the answer.
    let ping = client.begin("ping", &json!({}));
    assert_eq!(client.hear(|_| true)["id"], ping);
    assert!(client.leave().success());
}

/// Reads up to a line that holds `part`.
fn until(stream: &mut impl BufRead, part: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "ended before {part}");
        if line.contains(part) {
            return line;
        }
    }
}

/// Somebody who talks on the port until this is dropped: what comes before the port is open is lost.
struct Talker {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Talker {
    fn on(mut master: PtyMaster) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                master.write_all(b"hello\n").unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Talker { over, thread: Some(thread) }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn on_stdio_a_subscription_of_the_newest_protocol_ends_with_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let (master, uri, config) = port(folder.path());
    let path = folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_borg-com-monitor"));
    command.arg("--config").arg(path).arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    writeln!(input, "{}", listen_request(&[&uri, "file:///etc/passwd"])).unwrap();
    let acknowledged = until(&mut output, "acknowledged");
    assert!(acknowledged.contains(&uri) && !acknowledged.contains("passwd"), "{acknowledged}");
    let _talker = Talker::on(master);
    let told = until(&mut output, UPDATED);
    assert!(told.contains(&uri), "{told}");
    let start = Instant::now();
    drop(input);
    assert!(child.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// A service that listens on a free port and on a socket; ended when dropped.
struct Served {
    child: Child,
    address: String,
    socket: std::path::PathBuf,
}

impl Served {
    fn start(folder: &Path, mut config: Value) -> Self {
        let (token, socket, path) = (folder.join("token"), folder.join("mcp.sock"), folder.join("config.json"));
        std::fs::write(&token, TOKEN).unwrap();
        config["listen"] = json!({ "address": "127.0.0.1:0", "token_file": token, "socket": socket });
        std::fs::write(&path, config.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_borg-com-monitor"));
        let mut child = command.arg("--config").arg(path).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let line = until(&mut said, "http://");
        let address = line.trim().split_once("http://").and_then(|(_, rest)| rest.strip_suffix("/mcp")).unwrap();
        let served = Served { address: address.to_owned(), child, socket };
        until(&mut said, "mcp.sock");
        served
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn over_http_and_the_socket_a_stream_tells_of_new_lines_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (master, uri, config) = port(folder.path());
    let mut served = Served::start(folder.path(), config);
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let listen = |uris: &[&str]| post(served.tcp(), &format!("{token}{LISTEN}"), &listen_request(uris));
    let (mut stream, status) = listen(&[&uri]);
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    until(&mut stream, "acknowledged");
    let local = UnixStream::connect(&served.socket).unwrap();
    local.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut local, status) = post(local, LISTEN, &listen_request(&[&uri]));
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    until(&mut local, "acknowledged");
    let _talker = Talker::on(master);
    let told = until(&mut stream, UPDATED);
    assert!(told.contains(&uri), "{told}");
    until(&mut local, UPDATED);

    // Six more, which take no place from ordinary requests; and no seventh.
    let more: Vec<_> = (0..6).map(|_| listen(&[&uri])).collect();
    assert!(more.iter().all(|(_, status)| status.starts_with("HTTP/1.1 200")));
    assert!(listen(&[&uri]).1.starts_with("HTTP/1.1 503"));
    drop(more);

    let start = Instant::now();
    let id = nix::unistd::Pid::from_raw(i32::try_from(served.child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(served.child.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn where_an_older_protocol_cannot_be_told_it_is_not_promised() {
    let folder = tempfile::tempdir().unwrap();
    let (_master, uri, config) = port(folder.path());
    let served = Served::start(folder.path(), config);
    let ask = |body: &str| {
        let headers = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n");
        let (mut stream, _) = post(served.tcp(), &headers, body);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let hello = ask(INITIALIZE);
    assert!(hello.contains(r#""resources":{}"#), "{hello}");
    let subscribe = json!({"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": uri}});
    assert!(ask(&subscribe.to_string()).contains("-32601"));
    // The newest protocol is.
    let discover = listen_request(&[]).replace("subscriptions/listen", "server/discover");
    let headers = LISTEN.replace("subscriptions/listen", "server/discover");
    let headers = format!("Authorization: Bearer {TOKEN}\r\nConnection: close\r\n{headers}");
    let (mut stream, _) = post(served.tcp(), &headers, &discover);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains(r#""subscribe":true"#), "{text}");
}
