//! `borg-boot-check`: judges the boot from inside.
//!
//! It is started at every boot and does something only when the host asks by the credential `borg.boot-check`
//! (`-smbios type=11,value=io.systemd.credential:borg.boot-check={}`). Its unit, `units/boot-check`, says how it is started.
#![forbid(unsafe_code)]

mod checks;
mod edge;
mod ports;
mod report;
mod sockets;
mod systemd;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use borg_config::{BOOT_CHECK_CREDENTIAL, BOOT_CHECK_PATH, BootCheck, BootCheckRequest, BootReport, Verdict};
use lexopt::prelude::*;

const HELP: &str = "\
borg-boot-check: judges the boot from inside

usage: borg-boot-check [--timeout SECONDS] [--config FILE]

  --timeout SECONDS  for everything together (default 240)
  --config FILE      what to check (default /usr/lib/borg/boot-check.json)
  --version, --help

The credential borg.boot-check says what else to assert or to do: {\"secure_boot\": true, \"poweroff\": true}.
The exit status is 0 if the boot is good, and 1 if not.
";

enum Deed {
    Say(&'static str),
    Judge { timeout: Duration, config: PathBuf },
}

fn main() -> ExitCode {
    match deed() {
        Ok(Deed::Say(text)) => {
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Deed::Judge { timeout, config }) => judge(Instant::now() + timeout, &config),
        Err(e) => {
            let _ = writeln!(std::io::stderr().lock(), "borg-boot-check: {e}\ntry borg-boot-check --help");
            ExitCode::from(2)
        }
    }
}

fn deed() -> Result<Deed, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let (mut timeout, mut config) = (Duration::from_mins(4), PathBuf::from(BOOT_CHECK_PATH));
    while let Some(arg) = parser.next()? {
        match arg {
            Long("timeout") => timeout = Duration::from_secs(parser.value()?.parse::<u32>()?.into()),
            Long("config") => config = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(Deed::Say(HELP)),
            Long("version") | Short('V') => {
                return Ok(Deed::Say(concat!("borg-boot-check ", env!("CARGO_PKG_VERSION"), "\n")));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Deed::Judge { timeout, config })
}

fn judge(deadline: Instant, config: &Path) -> ExitCode {
    let (request, fault) = match request() {
        Ok(request) => (request, None),
        // A request that cannot be read is a failed check, not a check without it.
        Err(fault) => (BootCheckRequest::default(), Some(fault)),
    };
    let report = examine(&request, fault, deadline, config);
    report::tell(&report);
    if request.poweroff {
        systemd::power_off();
    }
    if report.verdict == Verdict::Ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn examine(request: &BootCheckRequest, fault: Option<String>, deadline: Instant, config: &Path) -> BootReport {
    let mut results = vec![checks::started(deadline)];
    results.extend(fault.map(|fault| checks::failure("credential", fault)));
    let config: BootCheck = borg_config::load(config).unwrap_or_else(|e| {
        results.push(checks::failure("config", e.to_string()));
        BootCheck::default()
    });
    if request.secure_boot {
        results.push(checks::secure_boot());
    }
    results.extend(checks::health(&config, deadline));
    let (ports, listening) = checks::listening(&config, deadline);
    results.extend(ports);
    // Last, so that a unit which fails while the others are asked is seen.
    results.extend(checks::units());
    report::judge(results, listening)
}

/// What the credential asks for; no or an empty credential asks for the plain check.
fn request() -> Result<BootCheckRequest, String> {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(BootCheckRequest::default()) };
    let path = Path::new(&folder).join(BOOT_CHECK_CREDENTIAL);
    match std::fs::read(&path) {
        Ok(text) if text.trim_ascii().is_empty() => Ok(BootCheckRequest::default()),
        Ok(text) => borg_config::parse(&text, &path).map_err(|e| e.to_string()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BootCheckRequest::default()),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}
