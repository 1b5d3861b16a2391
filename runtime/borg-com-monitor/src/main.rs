//! `borg-com-monitor`: writes each line that arrives on a serial port to the journal.
//!
//! The unit: `Type=notify`, `ExecStart=/usr/bin/borg-com-monitor`, standard output to the journal,
//! `SupplementaryGroups=dialout`, and the devices `char-ttyS`, `char-ttyUSB` and `char-ttyACM` allowed.
#![forbid(unsafe_code)]

mod journal;
mod lines;
mod monitor;
mod ports;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use borg_config::{COM_MONITOR_PATH, ComMonitor};
use lexopt::prelude::*;
use signal_hook::consts::{SIGINT, SIGTERM};

const HELP: &str = "\
borg-com-monitor: writes each line that arrives on a serial port to standard output, with time and port

usage: borg-com-monitor [--config FILE]

  --config FILE  which ports (default /etc/borg/com-monitor.json):
                 {\"ports\": [{\"device\": \"/dev/serial/by-id/*\", \"baud\": 115200}]}
  --version, --help
";

type Failure = Box<dyn std::error::Error>;

enum Deed {
    Say(&'static str),
    Watch(PathBuf),
}

fn main() -> ExitCode {
    let deed = match deed() {
        Ok(deed) => deed,
        Err(e) => return fail(&format!("{e}\ntry borg-com-monitor --help"), 2),
    };
    let result = match deed {
        Deed::Say(text) => std::io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::from),
        Deed::Watch(path) => watch(&path),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e.to_string(), 1),
    }
}

fn fail(message: &str, status: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "borg-com-monitor: {message}");
    ExitCode::from(status)
}

fn deed() -> Result<Deed, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let mut path = PathBuf::from(COM_MONITOR_PATH);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("config") => path = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(Deed::Say(HELP)),
            Long("version") | Short('V') => {
                return Ok(Deed::Say(concat!("borg-com-monitor ", env!("CARGO_PKG_VERSION"), "\n")));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Deed::Watch(path))
}

fn watch(path: &std::path::Path) -> Result<(), Failure> {
    let config: ComMonitor = borg_config::load(path)?;
    for fault in ports::faults(&config) {
        journal::warning(&format!("{}: {fault}", path.display()));
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    // Fails without systemd, and then nobody waits for it.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    monitor::run(&config, &stop);
    Ok(())
}
