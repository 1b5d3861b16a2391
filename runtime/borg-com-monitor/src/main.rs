//! `borg-com-monitor`: what arrives on serial ports, in the journal, in files, and for MCP clients.
//!
//! The unit: `Type=notify`, `ExecStart=/usr/bin/borg-com-monitor`, standard output to the journal,
//! `SupplementaryGroups=dialout`, and the devices `char-ttyS`, `char-ttyUSB` and `char-ttyACM` allowed.
#![deny(unsafe_code)]

mod board;
mod calls;
mod counts;
mod files;
mod follow;
mod history;
mod journal;
mod lines;
mod metrics;
mod monitor;
mod ports;
mod rate;
mod record;
mod tools;

use std::io::stdout;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use borg_config::{COM_MONITOR_PATH, ComMonitor, McpListen};
use borg_mcp::{Failure, Limits, Program, Service, Sessions};
use signal_hook::consts::{SIGINT, SIGTERM};

use files::Files;
use monitor::Shared;
use record::{Complaints, Journal, PortFiles, Record, Sink};
use tools::Tools;

/// Lines are short, and calls may wait.
const LIMITS: Limits = Limits { body: 64 * 1024, slots: 16 };

const NAME: &str = "borg-com-monitor";

const HELP: &str = "\
borg-com-monitor: writes each line that arrives on a serial port to standard output, with times and port

usage: borg-com-monitor [--config FILE] [--stdio]
       borg-com-monitor --make-token FILE [--group NAME]

  --config FILE      which ports, and where lines go (default /etc/borg/com-monitor.json):
                     {\"ports\": [{\"device\": \"/dev/serial/by-id/*\", \"baud\": 115200}]}
  --stdio            serve an MCP client on standard input and output, and end with it
  --make-token FILE  write a new random token, readable by owner and group NAME, unless there is one
  --version, --help
";

fn main() -> ExitCode {
    Program { name: NAME, version: env!("CARGO_PKG_VERSION"), help: HELP, config: COM_MONITOR_PATH }.main(watch)
}

fn watch(path: &Path, stdio: bool) -> Result<(), Failure> {
    let config: ComMonitor = borg_config::load(path)?;
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    // On stdio the client's messages have standard output.
    sinks.push(if stdio { Box::new(Complaints) } else { Box::new(Journal(stdout())) });
    if let Some(files) = &config.files {
        sinks.push(Box::new(PortFiles::new(Files::new(files.clone()))));
    }
    let shared = Shared::new(Record::new(sinks));
    for fault in ports::faults(&config) {
        shared.record.warning(&format!("{}: {fault}", path.display()));
    }
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&shared.stop))?;
    }
    let listen = config.listen.clone();
    let alive = Arc::new(AtomicBool::new(true));
    let watching = {
        let (shared, alive) = (shared.clone(), Arc::clone(&alive));
        std::thread::Builder::new().spawn(move || {
            let _end = Ending(alive);
            monitor::run(&config, &shared);
        })?
    };
    let serves = stdio || listen.is_some();
    let result = serve(&shared, stdio, listen, &alive);
    if serves || result.is_err() {
        shared.stop.store(true, Ordering::Relaxed);
    }
    let watched = watching.join().map_err(|_| "watching the ports broke off");
    shared.record.end();
    result.and(watched.map_err(Failure::from))
}

/// Notes that the watching thread ended, however it did.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Serves MCP until the end, if that was asked for.
fn serve(shared: &Shared, stdio: bool, listen: Option<McpListen>, alive: &Arc<AtomicBool>) -> Result<(), Failure> {
    if !stdio && listen.is_none() {
        // Fails without systemd, and then nobody waits for it.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        return Ok(());
    }
    let tools = Tools::new(shared.clone(), stdio)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
    let result = runtime.block_on(async {
        match listen {
            Some(listen) if !stdio => http(tools, shared, listen, Arc::clone(alive)).await,
            _ => borg_mcp::stdio(tools).await,
        }
    });
    runtime.shutdown_background();
    result
}

async fn http(tools: Tools, shared: &Shared, listen: McpListen, alive: Arc<AtomicBool>) -> Result<(), Failure> {
    let board = Arc::clone(&shared.board);
    let metrics = move || std::future::ready(metrics::text(&board.all()));
    let more = axum::Router::new().route("/metrics", axum::routing::get(metrics));
    let service = Service { name: NAME, tools, health: health(alive), more, limits: LIMITS, sessions: Sessions::None };
    borg_mcp::listen(service, listen.into()).await
}

/// Whether ports are looked for. What is plugged in, and whether it can be read, is in the metrics: no port is missed here.
fn health(alive: Arc<AtomicBool>) -> borg_mcp::Health {
    Arc::new(move || {
        let well = alive.load(Ordering::Relaxed);
        Box::pin(std::future::ready(if well { Ok(()) } else { Err("no ports are looked for any more".into()) }))
    })
}
