//! Why a call has no result.

use std::fmt;

use rmcp::ErrorData;

#[derive(Debug)]
pub enum Fault {
    /// The tool's source refuses by the protocol.
    Answered(ErrorData),
    /// The source cannot be asked, or does not answer as it should.
    Source(String),
    /// The time that the caller waits ran out, and the source may go on with it.
    Late(String),
    /// No tool has this name.
    Unknown(String),
    /// Whoever called does not want to know any more, and its source was told so.
    Cancelled,
    /// The same, and its source cannot be told.
    Left,
    /// The gateway ends.
    Stopped,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Answered(error) => f.write_str(&error.message),
            Fault::Source(text) | Fault::Late(text) => f.write_str(text),
            Fault::Unknown(name) => write!(f, "there is no tool {name}; tools/list names them"),
            Fault::Cancelled => f.write_str("cancelled by the caller"),
            Fault::Left => f.write_str("the caller left; it may have been done"),
            Fault::Stopped => f.write_str("the gateway was stopped; it may have been done"),
        }
    }
}
