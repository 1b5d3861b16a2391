//! The local archive over HTTP, as a proxy: whoever asks for Debian's own addresses is answered from the store.

#![allow(clippy::disallowed_types, reason = "serves the local archive on loopback")]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::engine::live_build::archive::{Archive, Item};
use crate::error::{Error, Result};

/// Longer requests are none of apt's.
const HEAD_LIMIT: u64 = 64 << 10;
const HEADERS: usize = 64;

/// Answers until the process ends; returns the proxy's address.
pub fn start(archive: Archive) -> Result<String> {
    let failed = |e: io::Error| Error::internal("cannot serve the local archive").because(&e);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let archive = Arc::new(archive);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let archive = Arc::clone(&archive);
            // A client that goes away is its own affair; one that misses something says so in the log.
            thread::spawn(move || talk(&stream, &archive));
        }
    });
    Ok(format!("http://{address}"))
}

/// Answers one connection's requests in turn, which is all that HTTP pipelining asks for.
fn talk(stream: &TcpStream, archive: &Archive) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    loop {
        let Some(head) = read_head(&mut input)? else { return Ok(()) };
        let item = wanted(&head).and_then(|address| archive.get(&address));
        answer(stream, item)?;
    }
}

/// Everything to the empty line; none at the end of the stream.
fn read_head(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut input = input.take(HEAD_LIMIT);
    while input.read_until(b'\n', &mut head)? > 0 {
        if head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// The whole address of a GET request: a proxy is given it, a server is given its parts.
fn wanted(head: &[u8]) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(head).ok()?.is_complete() || request.method != Some("GET") {
        return None;
    }
    let path = request.path?;
    if path.starts_with("http://") {
        return Some(path.to_owned());
    }
    let host = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case("host"))?;
    Some(format!("http://{}{path}", std::str::from_utf8(host.value).ok()?))
}

fn answer(mut out: &TcpStream, item: Option<&Item>) -> io::Result<()> {
    match item {
        Some(Item::Bytes(bytes)) => {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len())?;
            out.write_all(bytes)
        }
        Some(Item::File(path)) => {
            let mut file = File::open(path)?;
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.metadata()?.len())?;
            io::copy(&mut file, &mut out).map(drop)
        }
        None => write!(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_whole() {
        let address = |head: &str| wanted(head.as_bytes());
        let own = "GET /debian/pool/a.deb HTTP/1.1\r\nHost: deb.test\r\n\r\n";
        assert_eq!(address(own).as_deref(), Some("http://deb.test/debian/pool/a.deb"));
        let proxied = "GET http://deb.test/debian/pool/a.deb HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(address(proxied).as_deref(), Some("http://deb.test/debian/pool/a.deb"));
        assert_eq!(address("CONNECT deb.test:443 HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn two_requests_in_one_go_get_two_answers() {
        let archive = Archive::from([("http://a/b".to_owned(), Item::Bytes(b"bytes".to_vec()))]);
        let proxy = start(archive).unwrap();
        let mut stream = TcpStream::connect(proxy.trim_start_matches("http://")).unwrap();
        stream.write_all(b"GET http://a/b HTTP/1.1\r\n\r\nGET http://a/c HTTP/1.1\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbytesHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        );
    }

    proptest! {
        #[test]
        fn any_request_is_survived(head in "(GET )?[ -~\r\n%]{0,60}(HTTP/1.1)?(\r\n){0,2}") {
            let _ = wanted(head.as_bytes());
        }
    }
}
