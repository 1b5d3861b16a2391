//! A mirror for tests: a small HTTP server on the loopback, whose faults are set by path.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a path is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Ends the connection after so many bytes, once.
    CutOnce(usize),
    /// Says nothing more after so many bytes.
    Stall(usize),
    /// Sends byte by byte after so many, with so long between them.
    Drip(usize, Duration),
    /// Takes no notice of `Range`.
    NoRanges,
    Status(u16),
}

#[derive(Debug, Default)]
struct Inner {
    files: HashMap<String, Vec<u8>>,
    faults: HashMap<String, Fault>,
    /// `GET path range`, in order.
    log: Vec<String>,
    authorizations: Vec<String>,
}

/// A running server; its thread ends with the test's process.
#[derive(Debug, Clone)]
pub struct Server {
    inner: Arc<Mutex<Inner>>,
    pub url: String,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner::default()));
        let shared = inner.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                // A client that goes away is no fault of the server's.
                thread::spawn(move || answer(&stream, &shared));
            }
        });
        Server { inner, url }
    }

    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.inner.lock().unwrap().files.insert(path.to_owned(), bytes.into());
    }

    pub fn fault(&self, path: &str, fault: Fault) {
        self.inner.lock().unwrap().faults.insert(path.to_owned(), fault);
    }

    pub fn log(&self) -> Vec<String> {
        self.inner.lock().unwrap().log.clone()
    }

    pub fn authorizations(&self) -> Vec<String> {
        self.inner.lock().unwrap().authorizations.clone()
    }
}

/// A server's address at which nobody listens.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn answer(stream: &TcpStream, inner: &Mutex<Inner>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.trim_start_matches('/').replace("%2b", "+");
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |name: &str| {
        let fits = |h: &&String| h.to_ascii_lowercase().starts_with(name);
        headers.iter().find(fits).and_then(|h| h.split_once(": ")).map(|(_, v)| v.to_owned())
    };
    let start: usize =
        header("range:").and_then(|r| r.trim_start_matches("bytes=").trim_end_matches('-').parse().ok()).unwrap_or(0);
    let (bytes, fault) = {
        let mut inner = inner.lock().unwrap();
        inner.log.push(format!("{path} {start}"));
        inner.authorizations.extend(header("authorization:"));
        let fault = inner.faults.get(&path).copied();
        if matches!(fault, Some(Fault::CutOnce(_))) {
            inner.faults.remove(&path);
        }
        (inner.files.get(&path).cloned(), fault)
    };
    let mut out = stream;
    let (Some(bytes), None | Some(Fault::CutOnce(_) | Fault::Stall(_) | Fault::Drip(..) | Fault::NoRanges)) =
        (bytes, fault)
    else {
        let code = if let Some(Fault::Status(code)) = fault { code } else { 404 };
        return write!(out, "HTTP/1.1 {code} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok();
    };
    let start = if fault == Some(Fault::NoRanges) { 0 } else { start.min(bytes.len()) };
    let (code, rest) = (if start > 0 { 206 } else { 200 }, &bytes[start..]);
    let range = format!("Content-Range: bytes {start}-{}/{}\r\n", bytes.len().max(1) - 1, bytes.len());
    let range = if start > 0 { range } else { String::new() };
    let length = rest.len();
    write!(out, "HTTP/1.1 {code} OK\r\nContent-Length: {length}\r\n{range}Connection: close\r\n\r\n").ok()?;
    match fault {
        Some(Fault::CutOnce(n)) => out.write_all(&rest[..n.min(length)]).ok(),
        Some(Fault::Stall(n)) => {
            out.write_all(&rest[..n.min(length)]).ok()?;
            thread::sleep(Duration::from_secs(30));
            Some(())
        }
        Some(Fault::Drip(n, pause)) => {
            let (first, then) = rest.split_at(n.min(length));
            out.write_all(first).ok()?;
            then.iter().try_for_each(|byte| {
                thread::sleep(pause);
                out.write_all(&[*byte]).ok()
            })
        }
        _ => out.write_all(rest).ok(),
    }
}
