//! The tools tree and the namespaces in which every tool runs.
//!
//! A piece of work runs in a worker: this program again, in mount, PID, IPC, UTS and (unless asked for) network
//! namespaces of its own, and without root in a user namespace too, with the tools tree as its root. Mounts and processes
//! die with the worker, and the worker dies with its parent, whatever kills it.

#![allow(clippy::disallowed_methods, reason = "an edge: processes and namespaces")]

pub mod bound;
pub mod clock;
pub mod host;
pub mod memory;
pub mod namespaces;
pub mod process;
pub mod rights;
pub mod rootless;
mod subids;
pub mod tools;
pub mod worker;

pub use namespaces::Setup;
pub use process::Run;
pub use tools::Tools;
pub use worker::{Voice, Worker};

/// Where the store is seen from inside a worker.
pub const STORE: &str = "/store";
/// A scratch file system, gone when the worker ends.
pub const WORK: &str = "/work";

/// Fails at once, with the way out, where a worker could not do its work later.
pub fn ready() -> crate::Result<()> {
    rootless::check()?;
    worker::probe()
}
