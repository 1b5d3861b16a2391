//! A server that has what the official conformance suite of MCP asks for, on the transport that the services use.
//!
//! Its configuration is a `McpListen` as JSON; `.ci/conformance` writes one and runs the suite.
#![forbid(unsafe_code)]
#![allow(deprecated, reason = "the suite tries what the protocol has given up, too")]

mod ask;
mod input;
mod prompts;
mod resources;
mod server;
mod states;
mod tasks;
mod tell;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use borg_config::McpListen;
use borg_mcp::{Failure, Health, Limits, Program, Service, Sessions};
use serde::de::DeserializeOwned;

use server::Server;

const HELP: &str = "\
conformance: a server for the conformance suite of MCP

usage: conformance [--config FILE]
       conformance --make-token FILE

  --config FILE      where it listens (default conformance.json):
                     {\"address\": \"127.0.0.1:0\", \"token_file\": \"token\"}
  --make-token FILE  write a new random token, unless there is one
";

fn main() -> ExitCode {
    Program { name: "conformance", version: env!("CARGO_PKG_VERSION"), help: HELP, config: "conformance.json" }
        .main(run)
}

fn run(config: &Path, stdio: bool) -> Result<(), Failure> {
    let listen: McpListen = borg_config::load(config)?;
    let tools = Server::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if stdio {
            return borg_mcp::stdio(tools).await;
        }
        let health: Health = std::sync::Arc::new(|| Box::pin(std::future::ready(Ok(()))));
        let limits = Limits { body: 1024 * 1024, slots: 8 };
        let (more, sessions) = (axum::Router::new(), Sessions::AtMost(16));
        borg_mcp::listen(Service { name: "conformance", tools, health, more, limits, sessions }, listen.into()).await
    })
}

/// What a file beside this one says.
fn data<T: DeserializeOwned>(name: &str, json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|e| format!("{name}: {e}").into())
}
