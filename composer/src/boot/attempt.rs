//! One machine, from start to end, inside a worker.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::console::Console;
use super::machine::{self, Accelerator, MONITOR, Machine, PROGRAM, VARIABLES};
use super::qmp::Monitor;
use crate::error::{IoContext, Result};
use crate::workshop::Run;

/// A running QEMU and what has been read of it.
#[derive(Debug)]
pub struct Attempt {
    handle: duct::Handle,
    monitor: Option<Monitor>,
    console_log: PathBuf,
    read: u64,
    pub console: Console,
    start: Instant,
}

/// Why a machine stopped by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// QEMU's process ended.
    Ended,
    /// The guest reset or switched itself off.
    Off,
    /// KVM could not go on; the guest is not at fault.
    Accelerator,
}

impl Attempt {
    /// Starts the machine with its console in `console_log` and QEMU's own words in `qemu_log`.
    pub fn start(machine: &Machine, accelerator: Accelerator, console_log: &Path, qemu_log: &Path) -> Result<Self> {
        prepare(machine)?;
        let handle = Run::new(PROGRAM).args(machine.arguments(accelerator)).log(qemu_log).start()?;
        Ok(Attempt {
            handle,
            monitor: None,
            console_log: console_log.to_owned(),
            read: 0,
            console: Console::default(),
            start: Instant::now(),
        })
    }

    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Reads what the console has grown by.
    pub fn listen(&mut self) -> Result<()> {
        // QEMU makes the file when it starts.
        let Ok(mut file) = fs::File::open(&self.console_log) else { return Ok(()) };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.read)).at("read", &self.console_log)?;
        file.take(1 << 20).read_to_end(&mut bytes).at("read", &self.console_log)?;
        self.read += bytes.len() as u64;
        self.console.push(&bytes);
        Ok(())
    }

    /// Whether the machine has stopped, without waiting.
    pub fn stopped(&mut self) -> Result<Option<Stop>> {
        let ended = self.handle.try_wait().at("wait for", Path::new(PROGRAM))?.is_some();
        if ended {
            return Ok(Some(Stop::Ended));
        }
        let Ok(Some(monitor)) = self.monitor() else { return Ok(None) };
        Ok(match monitor.status().unwrap_or_default().as_str() {
            "internal-error" => Some(Stop::Accelerator),
            "shutdown" => Some(Stop::Off),
            _ => None,
        })
    }

    /// The connection to QEMU, made when it is first needed.
    pub fn monitor(&mut self) -> Result<Option<&mut Monitor>> {
        if self.monitor.is_none() {
            self.monitor = Monitor::connect(Path::new(MONITOR))?;
        }
        Ok(self.monitor.as_mut())
    }

    /// Writes a PNG of the guest's screen, if QEMU still can.
    pub fn screenshot(&mut self, to: &Path) -> bool {
        let request = json!({ "filename": to, "format": "png" });
        let Ok(Some(monitor)) = self.monitor() else { return false };
        monitor.execute("screendump", &request).is_ok()
    }

    /// Ends the machine and waits for it.
    pub fn end(mut self) {
        if let Ok(Some(monitor)) = self.monitor() {
            monitor.quit();
        }
        // After `quit` this only reaps; a QEMU that hangs is killed.
        if !matches!(self.handle.wait_timeout(Duration::from_secs(10)), Ok(Some(_))) {
            let _ = self.handle.kill();
        }
    }
}

/// Gives the machine pristine firmware variables, and no socket of a machine before it.
pub fn prepare(machine: &Machine) -> Result<()> {
    let _ = fs::remove_file(MONITOR);
    if let Some((_, pristine)) = machine::ovmf(machine.firmware) {
        let to = Path::new(VARIABLES);
        let _ = fs::remove_file(to);
        let bytes = fs::read(&pristine).at("read", Path::new(&pristine))?;
        fs::write(to, bytes).at("write", to)?;
    }
    Ok(())
}
