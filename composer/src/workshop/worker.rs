//! Starting a worker and talking with it: a job goes in as JSON, lines and one result come back.

#![allow(clippy::disallowed_types, reason = "starts the worker")]

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{IoContext, Result};
use crate::progress::Progress;
use crate::store::Store;
use crate::workshop::namespaces::{self, Setup};
use crate::workshop::{clock, rootless};
use crate::{Error, Kind, workshop};

/// The hidden verbs: the process that leaves the namespaces, PID 1 inside the new ones, and the one that stays outside to
/// write the first one's ids.
pub const OUTER: &str = "__worker";
pub const INNER: &str = "__worker-init";
pub const IDS: &str = "__worker-ids";

/// In place of a job: only try whether it would go.
const PROBE: &str = "--probe";
/// In place of a job: remove the folder named next.
const REMOVE: &str = "--remove";

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
        // stdin belongs to whoever sits at the terminal, and a job may hold password hashes, which have no place on a disk:
        // the worker inherits a file that is in memory only.
        let place = Path::new("the worker's job");
        let file = memfd_create(c"job", MFdFlags::empty()).map_err(io::Error::from).at("make", place)?;
        let mut file = fs::File::from(file);
        file.write_all(&envelope).at("write", place)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        // The store's name is for whoever looks at the list of processes.
        let value = Started::new(command(OUTER).arg(path).arg(self.store.root()))?.early_result(self.progress)?;
        serde_json::from_value(value).map_err(|e| broken(&e))
    }
}

/// A process of a worker that was started, and ends with one result.
struct Started(Child);

impl Started {
    fn new(command: &mut Command) -> Result<Self> {
        let child = command.stdout(Stdio::piped()).spawn();
        child.map(Started).map_err(|e| Error::internal("cannot start a worker").because(&e))
    }

    /// The result, once the process has ended.
    fn result(mut self, progress: &Progress) -> Result<Value> {
        let _registered = crate::interrupt::Registered::new(self.0.id());
        let result = self.listen(progress);
        self.ended(result)
    }

    /// The result, once all that worked for it have ended. The kernel goes on to free what they had mounted, which takes a
    /// tenth of a second for a system in memory, and nobody has to wait for that.
    fn early_result(mut self, progress: &Progress) -> Result<Value> {
        let registered = crate::interrupt::Registered::new(self.0.id());
        match self.listen(progress) {
            Some(result) => {
                std::thread::spawn(move || {
                    let _ = self.0.wait();
                    drop(registered);
                });
                result
            }
            None => self.ended(None),
        }
    }

    fn ended(mut self, result: Option<Result<Value>>) -> Result<Value> {
        let status = self.0.wait().map_err(|e| Error::internal("lost the worker").because(&e))?;
        result.unwrap_or_else(|| Err(Error::internal(format!("the worker ended without a result: {status}"))))
    }

    /// Until the last one that could say something has ended.
    fn listen(&mut self, progress: &Progress) -> Option<Result<Value>> {
        let stdout = self.0.stdout.take()?;
        let mut result = None;
        for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
            match serde_json::from_str(&line) {
                Ok(Message::Say(what, text)) => progress.say(&what, &text),
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

/// This program again. Of the environment it gets only where newuidmap may be.
fn command(verb: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(verb).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Tries whether a worker could leave the host's namespaces and mount what it needs.
pub fn probe() -> Result<()> {
    Started::new(command(OUTER).arg(PROBE))?.result(&Progress::new(false)).map(drop)
}

/// Removes a folder with all that is in it, though its files may belong to subordinate ids.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if rootless::needed() && e.kind() == io::ErrorKind::PermissionDenied => {
            Started::new(command(OUTER).arg(REMOVE).arg(path))?.result(&Progress::new(false)).map(drop)
        }
        other => other.at("remove", path),
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
    let code = outer_inner().unwrap_or_else(|error| report(&error));
    // All others have ended, and this one's end takes as long as its mounts: the parent need not wait for it.
    let _ = nix::unistd::close(io::stdout().as_raw_fd());
    code
}

fn outer_inner() -> Result<u8> {
    die_with_parent()?;
    if rootless::needed() {
        become_root()?;
    }
    let task = std::env::args_os().nth(2).unwrap_or_default();
    if task == REMOVE {
        let folder = PathBuf::from(std::env::args_os().nth(3).unwrap_or_default());
        fs::remove_dir_all(&folder).at("remove", &folder)?;
        send(&Message::Done(Value::Null));
        return Ok(0);
    }
    namespaces::leave(task != PROBE && read_envelope()?.setup.network)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(INNER)
        .args(std::env::args_os().skip(2))
        .env_clear()
        .spawn()
        .map_err(|e| Error::internal("cannot start a worker").because(&e))?;
    let status = child.wait().map_err(|e| Error::internal("lost the worker").because(&e))?;
    Ok(u8::try_from(status.code().unwrap_or(70)).unwrap_or(70))
}

/// Enters a user namespace in which this process is root, with the help of one that stays outside.
fn become_root() -> Result<()> {
    let mut outside = Started::new(command(IDS).arg(std::process::id().to_string()).stdin(Stdio::piped()))?;
    // Dropped unwritten when this process cannot leave: the other then ends.
    let word = outside.0.stdin.take();
    rootless::leave()?;
    word.map(|mut word| word.write_all(b"left")).transpose().at("write", Path::new("a pipe"))?;
    outside.result(&Progress::new(false))?;
    // The kernel may forget it with the change of privileges.
    die_with_parent()
}

/// The process that stays outside.
pub fn ids() -> u8 {
    answer(die_with_parent().and_then(|()| {
        let process = std::env::args().nth(2).unwrap_or_default();
        rootless::write_maps(&process, io::stdin().lock()).map(|()| Value::Null)
    }))
}

/// PID 1 of a worker: makes the root, does the job, sends the result.
pub fn inner(work: impl FnOnce(Value, &Store) -> Result<Value>) -> u8 {
    answer(die_with_parent().and_then(|()| {
        if std::env::args_os().nth(2).is_some_and(|task| task == PROBE) {
            return namespaces::try_mounts().map(|()| Value::Null);
        }
        let envelope = read_envelope()?;
        // What the tools and scripts of this worker inherit has nothing in it any more.
        empty_envelope()?;
        namespaces::build_root(&envelope.setup)?;
        if envelope.setup.other_clock {
            clock::shift()?;
        }
        work(envelope.job, &Store::join(Path::new(workshop::STORE), &envelope.session))
    }))
}

fn answer(done: Result<Value>) -> u8 {
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

fn envelope() -> Result<PathBuf> {
    std::env::args_os().nth(2).map(PathBuf::from).ok_or_else(|| Error::internal("the worker got no job"))
}

fn empty_envelope() -> Result<()> {
    let path = envelope()?;
    fs::File::options().write(true).open(&path).and_then(|file| file.set_len(0)).at("empty", &path)
}

fn read_envelope() -> Result<Envelope> {
    let path = envelope()?;
    let bytes = fs::read(&path).at("read", &path)?;
    serde_json::from_slice(&bytes).map_err(|e| Error::internal("the worker got no job").because(&e))
}

/// Asks the kernel to kill this process when its parent ends, however it ends.
fn die_with_parent() -> Result<()> {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    set_pdeathsig(Signal::SIGKILL).map_err(|e| Error::internal("cannot tie the worker to its parent").because(&e))?;
    // It may have ended before the kernel was asked: then nobody reads what this process says.
    let stdout = io::stdout();
    let mut said = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let gone = poll(&mut said, PollTimeout::ZERO).is_ok()
        && said.iter().any(|said| said.revents().is_some_and(|events| events.contains(PollFlags::POLLERR)));
    if gone { Err(Error::interrupted("the process that started this one has ended")) } else { Ok(()) }
}
