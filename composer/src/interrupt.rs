//! Ctrl-C and SIGTERM: workers are stopped, what is half-made goes, the exit status is 130.

#![allow(clippy::disallowed_methods, reason = "an edge: signals")]

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Kind;
use crate::error::{Error, Result};

/// How long the run may take to put things away before it is ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often whatever waits looks whether it still should.
pub const GLANCE: Duration = Duration::from_millis(50);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static WORKERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Starts to watch for signals. A run that cannot be ended in time says `last_words` and is cut off.
pub fn install(last_words: impl Fn() + Send + 'static) {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        INTERRUPTED.store(true, Ordering::SeqCst);
        if let Ok(workers) = WORKERS.lock() {
            workers.iter().copied().for_each(stop);
        }
        std::thread::sleep(PATIENCE);
        last_words();
        std::process::exit(i32::from(Kind::Interrupted.exit_code()));
    });
}

/// True once the user has asked to stop. Whatever loops or waits for long looks, or calls [`check`].
pub fn asked() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// An error once the user has asked to stop.
pub fn check() -> Result<()> {
    if asked() { Err(error()) } else { Ok(()) }
}

/// What a run that was stopped says.
pub fn error() -> Error {
    Error::interrupted("interrupted; nothing half-made was kept, and downloads go on where they stopped")
}

/// An error that came of an interruption says so.
pub fn translate<T>(result: Result<T>) -> Result<T> {
    match result {
        Err(_) if asked() => Err(error()),
        other => other,
    }
}

/// A reader that fails once the user has asked to stop.
#[derive(Debug)]
pub struct Heeding<R>(pub R);

impl<R: Read> Read for Heeding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check().map_err(io::Error::other)?;
        self.0.read(buffer)
    }
}

impl<R: Seek> Seek for Heeding<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// A process to stop when the user asks.
#[derive(Debug)]
pub struct Registered(i32);

impl Registered {
    pub fn new(pid: u32) -> Self {
        Self::register(i32::try_from(pid).ok())
    }

    /// A process that leads a group, with the whole of it.
    pub fn group(pid: u32) -> Self {
        Self::register(i32::try_from(pid).ok().map(|pid| -pid))
    }

    fn register(pid: Option<i32>) -> Self {
        // Zero would be this process's own group.
        let pid = pid.filter(|pid| *pid != 0);
        if let (Some(pid), Ok(mut workers)) = (pid, WORKERS.lock()) {
            workers.insert(pid);
            // The signal came between the process's start and here.
            if asked() {
                stop(pid);
            }
        }
        Registered(pid.unwrap_or_default())
    }
}

/// As kill(2) has it: a negative number is a group.
fn stop(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Ok(mut workers) = WORKERS.lock() {
            workers.remove(&self.0);
        }
    }
}
