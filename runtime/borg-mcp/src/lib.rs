//! How the services on the device speak MCP: streamable HTTP behind a bearer token, a Unix socket for users of a group, or one
//! client on standard input and output. What the tools do is each service's own.
#![forbid(unsafe_code)]

mod caller;
#[cfg(feature = "client")]
pub mod client;
mod deadline;
mod escape;
pub mod follow;
mod gate;
mod greet;
pub mod http;
mod large;
mod leave;
mod list;
mod listen;
mod output;
mod peers;
mod program;
mod serve;
mod sessions;
mod stdio;
#[cfg(any(test, feature = "testing"))]
#[allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
pub mod testing;
mod timed;
pub mod token;

pub use caller::Caller;
pub use deadline::deadline;
pub use escape::json_size;
pub use greet::greet;
pub use http::Health;
pub use large::Slot;
pub use list::{ToolList, fault};
pub use listen::{Limits, Listen, Service, Socket, listen};
pub use program::Program;
pub use sessions::Sessions;
pub use stdio::serve as stdio;

/// What keeps a service from starting.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
