//! Clients are told of changes, over both transports.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use borg_mcp::testing::{Client, LISTEN, TOKEN, listen_request, post};
use serde_json::json;

use super::{READ, end, exchange, folder, program, serve};

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

#[test]
fn a_session_on_stdio_is_told_what_it_subscribed_to() {
    let folder = folder();
    let mut client = Client::start(&mut program(folder.path(), &["--stdio"]));
    assert_eq!(client.hello["capabilities"]["resources"]["subscribe"], true);
    let path = folder.path().join("note");
    let note = json!({ "uri": uri(&path) });
    assert_eq!(client.ask("resources/read", &note)["contents"][0]["text"], "hello");
    let foreign = client.begin("resources/subscribe", &json!({ "uri": "file:///etc/passwd" }));
    let refused = client.hear(|message| message["id"] == foreign);
    assert!(refused["error"]["message"].as_str().unwrap().contains("allowed directory"));
    assert_eq!(client.ask("resources/subscribe", &note), json!({}));
    // It is watched a moment after the answer.
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(&path, "changed").unwrap();
    let told = client.hear(|_| true);
    assert_eq!((&told["method"], &told["params"]), (&json!("notifications/resources/updated"), &note));
    assert_eq!(client.ask("resources/unsubscribe", &note), json!({}));
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(&path, "again").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // The next that it says is the answer.
    let ping = client.begin("ping", &json!({}));
    assert_eq!(client.hear(|_| true)["id"], ping);
    assert!(client.leave().success());
}

#[test]
fn a_client_that_leaves_while_it_listens_does_not_hold_up_the_end() {
    let folder = folder();
    let mut child = program(folder.path(), &["--stdio"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(input, "{}", listen_request(&[&uri(folder.path())])).unwrap();
    assert!(output.next().unwrap().unwrap().contains("acknowledged"));
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(folder.path().join("new"), "").unwrap();
    assert!(output.next().unwrap().unwrap().contains("notifications/resources/updated"));
    let start = Instant::now();
    drop(input);
    assert!(child.wait().unwrap().success());
    assert!(start.elapsed() < Duration::from_secs(3));
}

/// A stream of changes, as far as its first line.
fn listen(address: &str, uris: &[&str]) -> (BufReader<TcpStream>, String) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    post(stream, &format!("Authorization: Bearer {TOKEN}\r\n{LISTEN}"), &listen_request(uris))
}

/// Reads up to a line that holds `part`.
fn until(stream: &mut BufReader<TcpStream>, part: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "ended before {part}");
        if line.contains(part) {
            return line;
        }
    }
}

#[test]
fn over_http_a_stream_tells_of_changes_until_the_end() {
    let folder = folder();
    let (mut child, address) = serve(folder.path(), &[]);
    let note = uri(&folder.path().join("note"));
    let uris = [note.as_str(), "file:///etc/passwd"];
    let (mut stream, status) = listen(&address, &uris);
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    let acknowledged = until(&mut stream, "acknowledged");
    assert!(acknowledged.contains(&note) && !acknowledged.contains("/etc/passwd"), "{acknowledged}");
    // Seven more, which take no place from ordinary requests; and no eighth.
    let more: Vec<_> = (0..7).map(|_| listen(&address, &uris)).collect();
    assert!(more.iter().all(|(_, status)| status.starts_with("HTTP/1.1 200")));
    assert!(listen(&address, &uris).1.starts_with("HTTP/1.1 503"));
    let post = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\n\r\n{READ}",
        READ.len()
    );
    assert!(exchange(&address, &post).contains(r#""text":"hello""#));
    std::fs::write(folder.path().join("note"), "changed").unwrap();
    let told = until(&mut stream, "notifications/resources/updated");
    assert!(told.contains(&note), "{told}");
    // A place is free again when a client leaves.
    drop(more);
    std::thread::sleep(Duration::from_millis(300));
    assert!(listen(&address, &uris).1.starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    end(&mut child);
    assert!(start.elapsed() < Duration::from_secs(3));
}
