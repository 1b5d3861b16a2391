//! Asking the guest's ports from outside.
//!
//! QEMU accepts a forwarded connection before the guest does, so an accepted connection proves nothing: bytes from the
//! guest do, and so does QEMU's own view of the guest's side. A guest that refuses makes QEMU close without a byte.

#![allow(clippy::disallowed_types, reason = "tries the ports of the guest")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::check::Case;
use super::network::Forward;
use super::qmp::Monitor;
use super::usernet;
use crate::Result;

/// How long the guest has to answer; its address may come after its verdict.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one connection is listened to.
const ONE_TRY: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(100);

/// A port of the guest and what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub service: String,
    pub forward: Forward,
    pub expect: Expect,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// A connection is taken.
    Answer,
    /// A GET of this path has a status below 400.
    Http(String),
    /// No connection is taken.
    Refusal,
}

/// What became of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Answered,
    Refused,
    Silent,
}

impl Probe {
    /// Asks until the expectation is met or patience ends.
    pub fn run(&self, monitor: &mut Monitor) -> Result<Case> {
        let start = Instant::now();
        loop {
            let (ok, detail) = match &self.expect {
                Expect::Http(path) => self.get(path),
                Expect::Answer => told(self.connect(monitor)?, Seen::Answered),
                // Silence is no proof: the guest's network may not be up.
                Expect::Refusal => told(self.connect(monitor)?, Seen::Refused),
            };
            let hopeless = self.expect == Expect::Refusal && detail == ANSWERED;
            if ok || hopeless || start.elapsed() > PATIENCE {
                return Ok(Case { name: self.name(), ok, detail, seconds: start.elapsed().as_secs_f64() });
            }
            std::thread::sleep(STEP * 5);
        }
    }

    /// A probe that could not be made is no success.
    pub fn untried(&self, why: &str) -> Case {
        Case { name: self.name(), ok: false, detail: why.to_owned(), seconds: 0.0 }
    }

    fn name(&self) -> String {
        let says = if self.expect == Expect::Refusal { "does not answer from outside" } else { "answers from outside" };
        format!("{}: port {} {says}", self.service, self.forward.guest)
    }

    fn stream(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.forward.host))?;
        stream.set_read_timeout(Some(STEP))?;
        Ok(stream)
    }

    fn connect(&self, monitor: &mut Monitor) -> Result<Seen> {
        let Ok(mut stream) = self.stream() else { return Ok(Seen::Refused) };
        let start = Instant::now();
        let mut byte = [0];
        while start.elapsed() < ONE_TRY {
            match stream.read(&mut byte) {
                Ok(1..) => return Ok(Seen::Answered),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Ok(0) | Err(_) => return Ok(Seen::Refused),
            }
            if usernet::taken(&monitor.human("info usernet")?, self.forward) {
                return Ok(Seen::Answered);
            }
        }
        Ok(Seen::Silent)
    }

    fn get(&self, path: &str) -> (bool, String) {
        match self.exchange(path) {
            Ok(bytes) => match status(&bytes) {
                Some(code) => (code < 400, format!("GET {path} says {code}")),
                None if bytes.is_empty() => (false, "the connection was closed without an answer".into()),
                None => (false, format!("GET {path} has no HTTP answer")),
            },
            Err(e) => (false, format!("GET {path} failed: {e}")),
        }
    }

    fn exchange(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = self.stream()?;
        stream.set_read_timeout(Some(ONE_TRY))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())?;
        let mut bytes = Vec::new();
        // The status line is enough, and a server may keep the connection.
        while bytes.len() < 12 {
            let mut buffer = [0; 64];
            match stream.read(&mut buffer)? {
                0 => break,
                n => bytes.extend(buffer.iter().take(n)),
            }
        }
        Ok(bytes)
    }
}

const ANSWERED: &str = "it answers";

fn told(seen: Seen, wanted: Seen) -> (bool, String) {
    let detail = match seen {
        Seen::Answered => ANSWERED,
        Seen::Refused => "the connection is refused",
        Seen::Silent => "the guest says nothing at all: is its network up?",
    };
    (seen == wanted, detail.into())
}

/// The code in `HTTP/1.1 200 OK`.
fn status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    let code = rest.get(2..5)?;
    std::str::from_utf8(code).ok()?.parse().ok().filter(|c| (100..600).contains(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_is_read() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 404"), Some(404));
        assert_eq!(status(b"SSH-2.0-OpenSSH_10.0"), None);
        assert_eq!(status(b"HTTP/1.1 2"), None);
    }

    proptest! {
        #[test]
        fn any_answer_is_read(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = status(&[b"HTTP/1.".as_slice(), &bytes].concat());
        }
    }
}
