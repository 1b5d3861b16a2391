//! The client at the other end of the connection.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use borg_plugin::MAX_REQUEST;
use rustix::event::{PollFd, PollFlags};
use rustix::io::retry_on_intr;
use rustix::net::{RecvFlags, recv};

/// How long the first line may take, and how long the client may take to read an answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Client(UnixStream);

impl Client {
    /// Takes the connection that systemd gives.
    pub fn on_stdin() -> Result<Self, String> {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(|e| e.to_string())?);
        match socket.local_addr() {
            Ok(_) => Ok(Client(socket)),
            Err(e) => Err(format!(
                "standard input is no Unix socket ({e}); systemd starts this program, for a connection to \
                 /run/borg-plugin/host.sock"
            )),
        }
    }

    /// Reads the first line and not a byte more: what follows is the plugin's.
    pub fn first_line(&self) -> Result<Vec<u8>, String> {
        let line = self.line(Instant::now() + PATIENCE);
        // A limit of the socket, which the plugin would have, too.
        self.0.set_read_timeout(None).map_err(|e| e.to_string())?;
        line
    }

    fn line(&self, until: Instant) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        loop {
            let (part, ends) = self.peek(until)?;
            (&self.0).take(part).read_to_end(&mut line).map_err(|e| format!("the first line cannot be read: {e}"))?;
            if line.len() > MAX_REQUEST {
                return Err(format!("the first line is longer than {MAX_REQUEST} bytes; send a smaller source"));
            }
            if ends {
                return Ok(line);
            }
        }
    }

    /// How many bytes of the line have come, and whether its end is among them.
    fn peek(&self, until: Instant) -> Result<(u64, bool), String> {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.0.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
        let mut part = [0; 16 * 1024];
        let come = match retry_on_intr(|| recv(&self.0, &mut part, RecvFlags::PEEK)).map_err(io::Error::from) {
            Ok((0, _)) => return Err("the client left before the end of its first line".into()),
            Ok((come, _)) => part.get(..come).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                return Err(format!("the first line did not come within {} s", PATIENCE.as_secs()));
            }
            Err(e) => return Err(format!("the first line cannot be read: {e}")),
        };
        let end = come.iter().position(|byte| *byte == b'\n');
        Ok((end.map_or(come.len(), |at| at + 1) as u64, end.is_some()))
    }

    /// Sends a line. A client that left, or does not read, misses it.
    pub fn say(&self, line: &str) {
        let _ = self.0.set_write_timeout(Some(PATIENCE)).and_then(|()| (&self.0).write_all(line.as_bytes()));
    }

    /// The connection, to be given away.
    pub fn connection(&self) -> io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }

    /// To be polled: ready when the client will send no more.
    pub fn leaving(&self) -> PollFd<'_> {
        PollFd::new(&self.0, PollFlags::RDHUP | PollFlags::HUP)
    }

    /// To be polled: ready when the client will not even read any more.
    pub fn gone(&self) -> PollFd<'_> {
        PollFd::new(&self.0, PollFlags::HUP)
    }
}
