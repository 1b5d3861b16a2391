//! Ctrl-C and SIGTERM: workers are stopped, what is half-made goes, the exit status is 130.

#![allow(clippy::disallowed_methods, reason = "an edge: signals")]

use std::collections::BTreeSet;
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

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static WORKERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Starts to watch for signals.
pub fn install() {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        INTERRUPTED.store(true, Ordering::SeqCst);
        if let Ok(workers) = WORKERS.lock() {
            for pid in workers.iter() {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
        }
        std::thread::sleep(PATIENCE);
        std::process::exit(i32::from(Kind::Interrupted.exit_code()));
    });
}

/// True once the user has asked to stop; long loops look now and then.
pub fn asked() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// An error that came of an interruption says so.
pub fn translate<T>(result: Result<T>) -> Result<T> {
    match result {
        Err(_) if asked() => Err(Error::interrupted("interrupted; nothing half-made was kept")),
        other => other,
    }
}

/// A process to stop when the user asks.
#[derive(Debug)]
pub struct Registered(i32);

impl Registered {
    pub fn new(pid: u32) -> Self {
        let pid = i32::try_from(pid).unwrap_or(0);
        if let Ok(mut workers) = WORKERS.lock() {
            workers.insert(pid);
        }
        Registered(pid)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Ok(mut workers) = WORKERS.lock() {
            workers.remove(&self.0);
        }
    }
}
