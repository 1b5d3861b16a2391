//! Why a tool cannot answer: a line for the model, told as a tool's result and not as a broken protocol.

use std::fmt;
use std::io;

use crate::links;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    text: String,
    kind: io::ErrorKind,
}

impl Fault {
    pub fn new(text: impl Into<String>) -> Self {
        Fault { text: text.into(), kind: io::ErrorKind::Other }
    }

    pub fn io(path: &str, error: &io::Error) -> Self {
        Fault { text: format!("{path}: {}", reason(error)), kind: error.kind() }
    }

    pub fn is_missing(&self) -> bool {
        self.kind == io::ErrorKind::NotFound
    }
}

/// What a model can act on, instead of numbers.
fn reason(error: &io::Error) -> String {
    use rustix::io::Errno;
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    match number {
        _ if links::leaves(error) => LEAVES.into(),
        Some(Errno::LOOP) => "a symbolic link that leads nowhere".into(),
        Some(Errno::NXIO) => "a pipe or device, not a regular file".into(),
        _ => error.to_string(),
    }
}

const LEAVES: &str = "Access denied - leads outside allowed directories";

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        io::Error::new(fault.kind, fault.text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
