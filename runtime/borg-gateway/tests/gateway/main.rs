//! The program as clients meet it, with a server and a plugin host that only pretend.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

#[path = "../common/host.rs"]
mod host;
#[path = "../common/server.rs"]
mod server;

mod audit;
mod bench;
mod doors;
mod names;
mod plugins;
mod resources;
mod stdio;
