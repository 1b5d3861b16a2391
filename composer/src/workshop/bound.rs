//! Programs of the host that end with this process, however it ends, and take along what they started.
//!
//! The kernel tells a process that its parent has ended if the process itself asked for that. A program that does not ask is
//! started by this one again, which asks in its stead and leads a group with it.

#![allow(clippy::disallowed_types, reason = "starts the program")]

use std::ffi::OsString;
use std::io::Write;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

use crate::Kind;

/// The hidden verb.
pub const VERB: &str = "__bound";

/// What it says when there is no such program.
pub const MISSING: &str = "there is no program ";

/// Of a process: its program, and what its arguments start with. It must lead a group of its own.
pub fn command(program: impl Into<OsString>) -> (&'static str, [OsString; 3]) {
    ("/proc/self/exe", [VERB.into(), std::process::id().to_string().into(), program.into()])
}

/// Runs the program to its end and answers with its exit status.
pub fn run() -> u8 {
    let mut args = std::env::args_os().skip(2);
    let (Some(parent), Some(program)) = (args.next(), args.next()) else { return Kind::Internal.exit_code() };
    let Ok(mut signals) = Signals::new([SIGTERM]) else { return Kind::Internal.exit_code() };
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            // The whole group, this process too.
            let _ = kill(Pid::from_raw(0), Signal::SIGKILL);
        }
    });
    // The parent may have ended before the kernel was asked.
    if set_pdeathsig(Signal::SIGTERM).is_err() || *getppid().to_string() != *parent {
        return Kind::Interrupted.exit_code();
    }
    match Command::new(&program).args(args).status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(Kind::Interrupted.exit_code()),
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "{MISSING}{}: {e}", program.display());
            Kind::Host.exit_code()
        }
    }
}
