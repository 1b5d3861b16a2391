//! What the checks touch: processes, `/proc`, the network, the clock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::sockets::{Protocol, Socket, waiting};

/// How a program ended: with 0 or not, and what it printed.
#[derive(Debug, Clone)]
pub struct Ended {
    pub ok: bool,
    pub output: String,
}

/// Runs a program for at most `limit`; its two outputs are taken together.
pub fn run<I: IntoIterator<Item = S>, S: Into<OsString>>(argv: I, limit: Duration) -> Ended {
    let mut argv = argv.into_iter().map(Into::into);
    let Some(program) = argv.next() else { return Ended { ok: false, output: "an empty command".into() } };
    match run_inner(&program, argv.collect(), limit) {
        Ok(ended) => ended,
        Err(e) => Ended { ok: false, output: format!("{}: {e}", program.display()) },
    }
}

fn run_inner(program: &OsString, args: Vec<OsString>, limit: Duration) -> io::Result<Ended> {
    let command = duct::cmd(program, args).stdin_null().stderr_to_stdout().stdout_capture().unchecked();
    let handle = command.start()?;
    if let Some(output) = handle.wait_timeout(limit)? {
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        return Ok(Ended { ok: output.status.success(), output: text });
    }
    handle.kill()?;
    Ok(Ended { ok: false, output: format!("no end after {} s", limit.as_secs()) })
}

/// Asks again every second until `attempt` succeeds or `until` has come; at least once.
pub fn retry<T>(until: Instant, mut attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    loop {
        let result = attempt();
        if result.is_ok() || Instant::now() >= until {
            return result;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The sockets that wait for others, in a fixed order.
pub fn listening() -> Vec<Socket> {
    let tables = [("tcp", Protocol::Tcp), ("tcp6", Protocol::Tcp), ("udp", Protocol::Udp), ("udp6", Protocol::Udp)];
    let read = |(name, protocol)| {
        // A kernel without IPv6 has no such table.
        waiting(&std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default(), protocol)
    };
    let mut sockets: Vec<Socket> = tables.into_iter().flat_map(read).collect();
    sockets.sort();
    sockets
}

/// The names of the programs that hold sockets, by inode. Needs root to see them all.
pub fn holders() -> BTreeMap<u64, String> {
    let mut holders = BTreeMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
        let is_process = process.file_name().to_str().is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let Ok(fds) = std::fs::read_dir(process.path().join("fd")) else { continue };
        if !is_process {
            continue;
        }
        let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        for fd in fds.filter_map(Result::ok) {
            let target = std::fs::read_link(fd.path()).unwrap_or_default();
            if let Some(inode) = target.to_str().and_then(socket_inode) {
                holders.entry(inode).or_insert_with(|| name.trim_end().to_owned());
            }
        }
    }
    holders
}

fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

const NETWORK_TIME: Duration = Duration::from_secs(5);

/// Connects to a port of this machine.
pub fn connect(port: u16) -> Result<TcpStream, String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, NETWORK_TIME).map_err(|e| format!("{address}: {e}"))
}

/// A GET over HTTP/1.1; gives the status.
pub fn get(port: u16, path: &str) -> Result<u16, String> {
    let mut stream = connect(port)?;
    let exchange = |stream: &mut TcpStream| -> io::Result<String> {
        stream.set_read_timeout(Some(NETWORK_TIME))?;
        stream.set_write_timeout(Some(NETWORK_TIME))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        let mut chunk = [0; 512];
        while !answer.contains(&b'\n') && answer.len() < 4096 {
            match stream.read(&mut chunk)? {
                0 => break,
                count => answer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = exchange(&mut stream).map_err(|e| format!("127.0.0.1:{port}{path}: {e}"))?;
    status(&answer).ok_or_else(|| format!("127.0.0.1:{port}{path}: no HTTP answer"))
}

fn status(answer: &str) -> Option<u16> {
    let line = answer.lines().next()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_status_line_is_read() {
        assert_eq!(status("HTTP/1.1 301 Moved\r\n"), Some(301));
        assert_eq!(status("SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(status(""), None);
    }

    #[test]
    fn a_get_asks_and_reads_the_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 20];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            asked
        });
        assert_eq!(get(port, "/healthz"), Ok(204));
        assert_eq!(&server.join().unwrap(), b"GET /healthz HTTP/1.");
        assert!(get(port, "/").unwrap_err().contains("refused"));
    }

    #[test]
    fn a_listener_is_seen_with_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let socket = listening().into_iter().find(|s| s.protocol == Protocol::Tcp && s.port == port).unwrap();
        assert!(socket.is_loopback());
        assert!(holders().contains_key(&socket.inode));
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let ended = run(["sleep", "60"], Duration::from_millis(50));
        assert!(!ended.ok && ended.output.contains("no end"), "{ended:?}");
        assert!(run(["true"], NETWORK_TIME).ok);
        assert!(run(["/none"], NETWORK_TIME).output.starts_with("/none: "));
    }

    #[test]
    fn asking_again_ends_at_the_deadline() {
        let mut count = 0;
        let result: Result<(), _> = retry(Instant::now(), || {
            count += 1;
            Err("no".into())
        });
        assert_eq!((result, count), (Err("no".into()), 1));
    }
}
