//! The command line: one file a verb.

pub mod worker;

use std::process::ExitCode;

use crate::workshop;

/// Runs the program and answers with its exit status.
pub fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(workshop::worker::OUTER) => workshop::worker::outer().into(),
        Some(workshop::worker::INNER) => workshop::worker::inner(worker::work).into(),
        _ => ExitCode::SUCCESS,
    }
}
