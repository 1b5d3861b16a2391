//! `borg-mcp-fs`: file tools over MCP.
//!
//! Started as `borg-mcp-fs --root DIR --stdio` by a client, or with `--listen` and `--token-file` by systemd, where it may
//! be `Type=notify`. It needs what lies below its roots and nothing else: no home, no devices, no network beyond its port.
#![forbid(unsafe_code)]

mod answer;
mod args;
mod calls;
mod content;
mod edit;
mod entries;
mod fault;
mod find;
mod follow;
#[cfg(test)]
mod fuzz;
mod globs;
mod guard;
mod health;
#[cfg(test)]
mod http_tests;
mod links;
mod list;
mod mounts;
mod paths;
mod place;
mod quota;
#[cfg(test)]
mod race_tests;
mod read;
mod resources;
mod roots;
mod shift;
#[cfg(test)]
mod testing;
mod tools;
#[cfg(test)]
mod unit_tests;
mod walk;
mod watch;
mod write;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use borg_mcp::{Failure, Limits, Listen, Service, Sessions, token};

use args::{Deed, Serve, Transport};
use roots::Roots;
use tools::Tools;

/// File work waits for disks, so a few threads are enough and bound what a client can occupy.
const THREADS: usize = 8;

/// A file's text may double when it becomes JSON; and an answer may be as large.
const LIMITS: Limits = Limits { body: 10 * 1024 * 1024, slots: 4 };

fn main() -> ExitCode {
    let result = match args::parse(std::env::args_os()) {
        Ok(Deed::Help) => say(args::HELP),
        Ok(Deed::Version) => say(concat!("borg-mcp-fs ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Deed::MakeToken { path, group }) => token::make(&path, group.as_deref()).map_err(Failure::from),
        Ok(Deed::Serve(serve)) => run(serve),
        Err(message) => {
            complain(&format!("{message}\ntry borg-mcp-fs --help"));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

fn complain(message: &str) {
    // Nobody left to tell is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "borg-mcp-fs: {message}");
}

fn run(serve: Serve) -> Result<(), Failure> {
    let roots = Arc::new(Roots::open(&serve.roots, std::env::home_dir())?);
    let tools = Tools::new(roots, serve.over == Transport::Stdio)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(THREADS).build()?;
    let result = runtime.block_on(async {
        match serve.over {
            Transport::Stdio => borg_mcp::stdio(tools).await,
            Transport::Http(http) => listen(tools, http).await,
        }
    });
    // A read that hangs must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn listen(tools: Tools, listen: Listen) -> Result<(), Failure> {
    let health = health::of(Arc::clone(tools.roots()));
    let service = Service {
        name: "borg-mcp-fs",
        tools,
        health,
        more: axum::Router::new(),
        limits: LIMITS,
        sessions: Sessions::None,
    };
    borg_mcp::listen(service, listen).await
}
