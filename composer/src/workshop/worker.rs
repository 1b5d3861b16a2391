//! Starting a worker and talking with it: a job goes in as JSON, lines and one result come back.

#![allow(clippy::disallowed_types, reason = "starts the worker")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{IoContext, Result};
use crate::progress::Progress;
use crate::store::Store;
use crate::workshop::namespaces::{self, Setup};
use crate::{Error, Kind, workshop};

/// The hidden verbs: the process that leaves the namespaces, and PID 1 inside the new ones.
pub const OUTER: &str = "__worker";
pub const INNER: &str = "__worker-init";

/// In place of a job: only try whether it would go.
const PROBE: &str = "--probe";

/// A job for a worker.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    setup: Setup,
    /// The run's session in the store.
    session: String,
    job: Value,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    Say(String, String),
    Done(Value),
    Failed { kind: u8, message: String, causes: Vec<String>, help: Option<String> },
}

/// The parent's side.
#[derive(Debug)]
pub struct Worker<'a> {
    pub setup: Setup,
    pub store: &'a Store,
    pub progress: &'a Progress,
}

impl Worker<'_> {
    /// Runs `job` in a new worker and waits for its result.
    pub fn run<J: Serialize, R: DeserializeOwned>(&self, job: &J) -> Result<R> {
        let broken = |e: &dyn std::error::Error| Error::internal("the worker's messages make no sense").because(e);
        let job = serde_json::to_value(job).map_err(|e| broken(&e))?;
        let envelope = serde_json::to_vec(&Envelope { setup: self.setup.clone(), session: self.store.session(), job })
            .map_err(|e| broken(&e))?;
        // The job goes through a file, because stdin belongs to whoever sits at the terminal.
        let mut file = self.store.temporary()?;
        file.write_all(&envelope).at("write", file.path())?;
        let mut child = start(OUTER, file.path())?;
        let _registered = crate::interrupt::Registered::new(child.id());
        let result = self.listen(&mut child);
        let status = child.wait().map_err(|e| Error::internal("lost the worker").because(&e))?;
        let value =
            result.unwrap_or_else(|| Err(Error::internal(format!("the worker ended without a result: {status}"))))?;
        serde_json::from_value(value).map_err(|e| broken(&e))
    }

    fn listen(&self, child: &mut Child) -> Option<Result<Value>> {
        let stdout = child.stdout.take()?;
        let mut result = None;
        for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Message::Say(what, text)) => self.progress.say(&what, &text),
                Ok(Message::Done(value)) => result = Some(Ok(value)),
                Ok(Message::Failed { kind, message, causes, help }) => {
                    result = Some(Err(failed(kind, message, causes, help)));
                }
                Err(_) => {}
            }
        }
        result
    }
}

fn failed(kind: u8, message: String, causes: Vec<String>, help: Option<String>) -> Error {
    let error = causes.into_iter().fold(Error::new(Kind::from_exit_code(kind), message), Error::detail);
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

fn start(verb: &str, envelope: &Path) -> Result<Child> {
    Command::new("/proc/self/exe")
        .arg(verb)
        .arg(envelope)
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| Error::internal("cannot start a worker").because(&e))
}

/// Tries whether a worker could leave the host's namespaces.
pub fn probe() -> Result<()> {
    let status = Command::new("/proc/self/exe").arg(OUTER).arg(PROBE).env_clear().stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::host("the kernel refuses new namespaces or mounts in them")),
        Err(e) => Err(Error::internal("cannot start a worker").because(&e)),
    }
}

/// The worker's voice: what it says goes to the parent as messages on stdout.
#[derive(Debug, Clone, Copy)]
pub struct Voice;

impl Voice {
    pub fn say(self, what: &str, text: &str) {
        send(&Message::Say(what.into(), text.into()));
    }
}

fn send(message: &Message) {
    if let Ok(mut line) = serde_json::to_vec(message) {
        line.push(b'\n');
        // If the parent is gone, this process is about to be killed.
        let _ = std::io::stdout().lock().write_all(&line);
    }
}

/// The first process of a worker: leaves the namespaces, starts PID 1 and waits for it.
pub fn outer() -> u8 {
    match outer_inner() {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn outer_inner() -> Result<u8> {
    die_with_parent()?;
    if std::env::args().nth(2).as_deref() == Some(PROBE) {
        return namespaces::leave(false).and_then(|()| namespaces::try_mount()).map(|()| 0);
    }
    let envelope = read_envelope()?;
    namespaces::leave(envelope.setup.network)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(INNER)
        .args(std::env::args_os().skip(2))
        .env_clear()
        .spawn()
        .map_err(|e| Error::internal("cannot start a worker").because(&e))?;
    let status = child.wait().map_err(|e| Error::internal("lost the worker").because(&e))?;
    Ok(u8::try_from(status.code().unwrap_or(70)).unwrap_or(70))
}

/// PID 1 of a worker: makes the root, does the job, sends the result.
pub fn inner(work: impl FnOnce(Value, &Store) -> Result<Value>) -> u8 {
    let done = die_with_parent().and_then(|()| read_envelope()).and_then(|envelope| {
        namespaces::build_root(&envelope.setup)?;
        work(envelope.job, &Store::join(Path::new(workshop::STORE), &envelope.session))
    });
    match done {
        Ok(value) => {
            send(&Message::Done(value));
            0
        }
        Err(error) => report(&error),
    }
}

fn report(error: &Error) -> u8 {
    send(&Message::Failed {
        kind: error.kind().exit_code(),
        message: error.to_string(),
        causes: error.causes().to_vec(),
        help: error.help_text().map(str::to_owned),
    });
    error.kind().exit_code()
}

fn read_envelope() -> Result<Envelope> {
    let path = std::env::args_os().nth(2).map(PathBuf::from).ok_or_else(|| Error::internal("the worker got no job"))?;
    let bytes = std::fs::read(&path).at("read", &path)?;
    serde_json::from_slice(&bytes).map_err(|e| Error::internal("the worker got no job").because(&e))
}

/// Asks the kernel to kill this process when its parent ends, however it ends.
fn die_with_parent() -> Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    set_pdeathsig(Signal::SIGKILL).map_err(|e| Error::internal("cannot tie the worker to its parent").because(&e))
}
