//! Why a tool cannot answer: a line for the model, told as a tool's result and not as a broken protocol.

use std::fmt;
use std::io;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Fault(message.into())
    }

    pub fn io(path: &str, error: &io::Error) -> Self {
        // cap-std's own refusal of a path that would leave the root carries no number; the kernel's does.
        if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
            return Fault(format!("{path}: leads outside the allowed folder"));
        }
        Fault(format!("{path}: {error}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
