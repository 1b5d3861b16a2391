//! A server that speaks just enough of HTTP and MCP: its tools say how they were called.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use serde_json::{Value, json};

/// Answers to a request for a path with a status and a body.
pub type Answer = fn(path: &str, question: &Value) -> (u16, Value);

/// Listens at `socket` for as long as the test runs.
pub fn serve(socket: &Path, answer: Answer) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || exchange(stream, answer));
        }
    });
}

fn exchange(mut stream: UnixStream, answer: Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let question = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, value) = answer(first.split(' ').nth(1).unwrap(), &question);
    let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let length = body.len();
    // Who asked may be gone.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

/// An answer of MCP to `question`.
pub fn result(question: &Value, result: Value) -> (u16, Value) {
    (200, json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }))
}
