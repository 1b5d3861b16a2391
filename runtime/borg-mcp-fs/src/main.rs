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
mod fault;
mod find;
mod gate;
mod globs;
mod guard;
mod http;
mod links;
mod list;
mod paths;
mod place;
mod quota;
#[cfg(test)]
mod race_tests;
mod read;
mod roots;
mod serve;
mod shift;
mod stdio;
#[cfg(test)]
mod testing;
mod token;
mod tools;
mod walk;
mod write;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use rmcp::ServiceExt as _;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use args::{Deed, Serve, Transport};
use roots::Roots;
use tools::Tools;

type Failure = Box<dyn std::error::Error>;

/// File work waits for disks, so a few threads are enough and bound what a client can occupy.
const THREADS: usize = 8;

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
    let tools = Tools::new(Arc::new(Roots::open(&serve.roots, std::env::home_dir())?))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(THREADS).build()?;
    let result = runtime.block_on(async {
        match serve.over {
            Transport::Stdio => stdio(tools).await,
            Transport::Http(http) => listen(tools, http).await,
        }
    });
    // A read that hangs must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn stdio(tools: Tools) -> Result<(), Failure> {
    let (input, output) = rmcp::transport::stdio();
    tools.serve(stdio::Bounded::new(AsyncRwTransport::new(input, output))).await?.waiting().await?;
    Ok(())
}

async fn listen(tools: Tools, http: args::Http) -> Result<(), Failure> {
    let listen = http.listen;
    let token = token::Token::read(&http.token)?;
    let weakness = token::weakness(&token, &http.token);
    let door = http::Door { token, hosts: http.hosts, origins: http.origins };
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let app = http::router(tools, door, stop.child_token());
    complain(&format!("serving MCP at http://{}/mcp", listener.local_addr()?));
    if let Some(weakness) = weakness {
        complain(&weakness);
    }
    // Fails without systemd, and then nobody waits for it.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let server = tokio::spawn(serve::serve(listener, app, stop.clone()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    Ok(server.await?)
}
