//! Saying which tools a source would have. It runs where plugins run, since loading a Python file is running it.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::process::{ChildStdout, Stdio};
use std::time::{Duration, Instant};

use borg_plugin::{Checked, Name};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{read, retry_on_intr};

use crate::args::Settings;
use crate::client::Client;
use crate::group::Group;

/// How long a source may take to load.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of an answer.
const LONGEST: usize = 1024 * 1024;

/// Checks the source of a file that is called `file`.
pub fn check(client: &Client, settings: &Settings, file: &str, source: &str) -> Checked {
    checked(client, settings, file, source)
        .unwrap_or_else(|why| Checked::Error(format!("{}: {why}", file.escape_debug())))
}

fn checked(client: &Client, settings: &Settings, file: &str, source: &str) -> Result<Checked, String> {
    Name::of_python(file).map_err(|e| e.to_string())?;
    if settings.network {
        return Err("a check has no network; ask at host.sock".into());
    }
    let source = held(source).map_err(|e| format!("the source cannot be handed on: {e}"))?;
    let mut command = settings.python();
    let mut group = Group::start(command.args(["--check", file]).stdin(source).stdout(Stdio::piped()))?;
    let output = group.stdout().ok_or("the check has no output")?;
    let answer = answer(client, &output)?;
    if answer.is_empty() {
        let how = group.status().map(|how| format!(": {how}")).unwrap_or_default();
        return Err(format!("the check ended without an answer{how}"));
    }
    Checked::parse(&answer)
}

/// The source as a file in memory: no writer has to wait for a reader that does not read.
fn held(source: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("source", MemfdFlags::CLOEXEC)?);
    file.write_all(source.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// The first line of the output, or all of it.
fn answer(client: &Client, output: &ChildStdout) -> Result<Vec<u8>, String> {
    let until = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        wait(client, output, until)?;
        let come = retry_on_intr(|| read(output, &mut part)).map_err(|e| format!("the answer cannot be read: {e}"))?;
        let part = part.get(..come).unwrap_or_default();
        answer.extend_from_slice(part);
        if answer.len() > LONGEST {
            return Err(format!("its tools take more than {LONGEST} bytes to describe"));
        }
        if part.is_empty() || part.contains(&b'\n') {
            return Ok(answer);
        }
    }
}

/// Waits for output.
fn wait(client: &Client, output: &ChildStdout, until: Instant) -> Result<(), String> {
    let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).map_err(|e| e.to_string())?;
    let mut either = [client.gone(), PollFd::new(output, PollFlags::IN)];
    let ready = retry_on_intr(|| poll(&mut either, Some(&left))).map_err(|e| e.to_string())?;
    if ready == 0 {
        let seconds = PATIENCE.as_secs();
        return Err(format!("does not load within {seconds} s; a plugin's file only defines tools, which do the work"));
    }
    if either.first().is_some_and(|client| !client.revents().is_empty()) {
        return Err("the client left".into());
    }
    Ok(())
}
