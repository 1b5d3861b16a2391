//! How a command ends.

use std::fmt;
use std::process::ExitCode;

use borg_mcp::client::ClientFault;

pub type Outcome<T = ()> = Result<T, Failure>;

#[derive(Debug)]
pub enum Failure {
    /// A tool or a plugin failed, or what it says cannot be understood.
    Failed(String),
    /// The command line asks for what there is not.
    Usage(String),
    /// Nobody answers.
    Unreachable(String),
}

impl Failure {
    pub fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Failed(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Failed(text) | Failure::Usage(text) | Failure::Unreachable(text) => f.write_str(text),
        }
    }
}

impl From<ClientFault> for Failure {
    fn from(fault: ClientFault) -> Self {
        let text = fault.to_string();
        match fault {
            ClientFault::Unreachable(_) => {
                Failure::Unreachable(format!("{text}; is borg-gateway running, and are you root or of the group borg?"))
            }
            ClientFault::Refused(_) => Failure::Unreachable(format!("the gateway refuses: {text}")),
            ClientFault::Late(_) => Failure::Unreachable(format!("the gateway gives {text}")),
            ClientFault::Answered(_) | ClientFault::Broken(_) => Failure::Failed(text),
        }
    }
}

/// Standard output that nobody reads any more.
impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Failure::Failed(format!("cannot write what was found: {e}"))
    }
}
