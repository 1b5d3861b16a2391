//! `borg-mcp-fs`: read-only file tools over MCP.
//!
//! Started as `borg-mcp-fs --root DIR`; under systemd it may be `Type=notify`. It needs to read below its roots and
//! nothing else: no home, no devices, no network beyond its one port.
#![forbid(unsafe_code)]

mod args;
mod fault;
mod files;
mod http;
mod roots;
mod tools;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use args::{Deed, Serve, Transport};
use roots::Roots;
use tools::Tools;

type Failure = Box<dyn std::error::Error>;

/// File work waits for disks, so a few threads are enough and bound what a client can occupy.
const THREADS: usize = 8;
/// How long open requests may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let result = match args::parse(std::env::args_os()) {
        Ok(Deed::Help) => say(args::HELP),
        Ok(Deed::Version) => say(concat!("borg-mcp-fs ", env!("CARGO_PKG_VERSION"), "\n")),
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
    let tools = Tools::new(Arc::new(Roots::open(&serve.roots)?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(THREADS).build()?;
    let result = runtime.block_on(async {
        match serve.over {
            Transport::Stdio => stdio(tools).await,
            Transport::Http { listen, hosts } => http(tools, listen, &hosts).await,
        }
    });
    // A read that hangs must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn stdio(tools: Tools) -> Result<(), Failure> {
    tools.serve(rmcp::transport::stdio()).await?.waiting().await?;
    Ok(())
}

async fn http(tools: Tools, listen: SocketAddr, hosts: &[String]) -> Result<(), Failure> {
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let app = http::router(tools, hosts, stop.child_token());
    complain(&format!("serving MCP at http://{}/mcp", listener.local_addr()?));
    // Fails without systemd, and then nobody waits for it.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    match tokio::time::timeout(GRACE, server).await {
        Ok(finished) => Ok(finished??),
        Err(_) => Ok(()),
    }
}
