//! Booting for a person: the serial console on the terminal.

#![allow(clippy::disallowed_types, reason = "looks for free ports on the host's loopback")]

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use serde::{Deserialize, Serialize};

use super::accelerator;
use super::attempt::prepare;
use super::check::{encode, paths};
use super::job::{Credential, write_credentials};
use super::machine::{Accelerator, Console, MONITOR, Machine, PROGRAM};
use super::network::{Forward, Network};
use super::options::{self, Host, Options};
use super::qmp::Monitor;
use crate::Error;
use crate::cli::worker::Job;
use crate::error::{IoContext, Result};
use crate::progress::Progress;
use crate::store::Store;
use crate::workshop::{Run, Voice, Worker};

/// How often KVM's health is looked at.
const STEP: Duration = Duration::from_millis(300);
/// A QEMU that fails so soon could not use KVM.
const EARLY: Duration = Duration::from_secs(10);

/// A boot to sit at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TerminalJob {
    machine: Machine,
    credentials: Vec<Credential>,
}

/// Boots the ISO through its own loader with the serial console on the terminal, until the machine switches off or the
/// person quits.
pub fn interactive(options: &Options, tools_root: &Path, store: &Store, progress: &Progress) -> Result<()> {
    options::check_names(&options.credentials)?;
    let forwards = forwards(&options.forward)?;
    for forward in &forwards {
        progress.say("forward", &format!("127.0.0.1:{} is port {} of the guest", forward.host, forward.guest));
    }
    let serial = options.serial.as_deref().map(options::socket).transpose()?;
    let (folder, name) = serial.unzip();
    let job = job(options, forwards, name);
    let mountpoint = store.temporary_folder()?;
    // The host's network only for ports that a person wants to reach from it.
    let host = Host { network: !options.forward.is_empty(), serial: folder.as_deref(), ..options.host() };
    let setup = options::setup(host, tools_root, store, mountpoint.path())?;
    progress.say("boot", "Ctrl-A X quits, Ctrl-A H shows more keys");
    let _terminal = Terminal::save();
    Worker { setup, store, progress }.run(&Job::Terminal(Box::new(job)))
}

fn job(options: &Options, forwards: Vec<Forward>, serial: Option<String>) -> TerminalJob {
    let credentials = encode(options.credentials.iter());
    let machine = Machine {
        firmware: options.firmware,
        media: options.media,
        disk: options.disk.is_some(),
        memory_mb: options.memory_mb,
        network: Network { forwards, fixed: None },
        console: Console::Terminal,
        serial,
        report: None,
        credentials: paths(credentials.len()),
    };
    TerminalJob { machine, credentials }
}

/// A free port of the host for each port of the guest: the same number where it can be had.
fn forwards(guest: &[u16]) -> Result<Vec<Forward>> {
    let held: Vec<(TcpListener, u16)> = guest
        .iter()
        .map(|port| {
            let same = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).ok().filter(|_| *port >= 1024);
            same.map_or_else(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), Ok).map(|l| (l, *port))
        })
        .collect::<std::io::Result<_>>()
        .map_err(|e| Error::host("cannot find a free port on 127.0.0.1").because(&e))?;
    // All are held until all are found, so that none is given out twice.
    let named =
        held.iter().map(|(listener, guest)| Some(Forward { host: listener.local_addr().ok()?.port(), guest: *guest }));
    Ok(named.flatten().collect())
}

/// Does the job inside the worker.
pub fn serve(job: &TerminalJob, store: &Store) -> Result<()> {
    write_credentials(&job.credentials, &job.machine.credentials)?;
    let chosen = accelerator::choose(&job.machine, store)?;
    Voice.say("boot", &format!("with {}", chosen.title()));
    if attend(job, chosen)? {
        return Ok(());
    }
    accelerator::remember(false, store)?;
    Voice.say("boot", &format!("with {}", Accelerator::Tcg.title()));
    attend(job, Accelerator::Tcg).map(drop)
}

/// Runs the machine to its end; false if the accelerator failed.
fn attend(job: &TerminalJob, accelerator: Accelerator) -> Result<bool> {
    prepare(&job.machine)?;
    let handle = Run::new(PROGRAM).args(job.machine.arguments(accelerator)).start_interactive()?;
    let start = Instant::now();
    let mut monitor = None;
    loop {
        let ended = handle.wait_timeout(STEP).at("wait for", Path::new(PROGRAM))?;
        if let Some(output) = ended {
            if output.status.success() {
                return Ok(true);
            }
            if accelerator == Accelerator::Kvm && start.elapsed() < EARLY {
                return Ok(false);
            }
            return Err(Error::boot(format!("{PROGRAM} failed: {}", output.status)));
        }
        if accelerator == Accelerator::Kvm && broken(&mut monitor) {
            handle.kill().at("end", Path::new(PROGRAM))?;
            return Ok(false);
        }
    }
}

fn broken(monitor: &mut Option<Monitor>) -> bool {
    if monitor.is_none() {
        *monitor = Monitor::connect(Path::new(MONITOR)).ok().flatten();
    }
    monitor.as_mut().is_some_and(|m| m.status().is_ok_and(|s| s == "internal-error"))
}

/// Puts the terminal back as it was, however QEMU left it.
struct Terminal(Option<Termios>);

impl Terminal {
    fn save() -> Self {
        Terminal(tcgetattr(std::io::stdin()).ok())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(saved) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, saved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_gets_one_of_its_own() {
        let found = forwards(&[22, 80, 22]).unwrap();
        let hosts: std::collections::BTreeSet<u16> = found.iter().map(|f| f.host).collect();
        assert_eq!((found.len(), hosts.len()), (3, 3));
        assert!(hosts.iter().all(|p| *p >= 1024), "{hosts:?}");
    }
}
