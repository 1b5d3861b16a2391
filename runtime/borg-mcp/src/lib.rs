//! How the services on the device speak MCP: streamable HTTP behind a bearer token, a Unix socket for users of a group, or one
//! client on standard input and output. What the tools do is each service's own.
#![forbid(unsafe_code)]

mod gate;
pub mod http;
mod listen;
mod peers;
mod serve;
mod stdio;
pub mod token;

pub use http::{Door, Health};
pub use listen::{Limits, Listen, Service, Socket, listen};
pub use stdio::serve as stdio;

/// What keeps a service from starting.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
