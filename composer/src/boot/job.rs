//! What a watched boot is asked for and what it answers: plain data, sent to a worker and back.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Case;
use super::machine::{Accelerator, Machine};
use super::probe::Probe;
use super::report::Report;
use crate::error::{IoContext, Result};

/// Where the guest's report is taken.
pub const REPORT: &str = "/work/report";

/// A boot to judge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WatchJob {
    pub machine: Machine,
    pub goal: Goal,
    pub probes: Vec<Probe>,
    pub credentials: Vec<Credential>,
    pub timeout: Duration,
    pub console_log: PathBuf,
    pub qemu_log: PathBuf,
    /// Where a picture of the screen goes: always, or after a failure.
    pub screenshot: (PathBuf, bool),
}

/// A systemd credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credential {
    pub name: String,
    pub base64: String,
}

/// What the boot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goal {
    /// The guest's verdict.
    Verdict,
    /// That the boot loader refuses the kernel.
    Refusal,
}

/// What was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    pub accelerator: Accelerator,
    /// Seconds from power-on to the end of the goal.
    pub seconds: f64,
    /// What the guest found.
    pub report: Option<Report>,
    /// Why there is no report, or why the goal was missed.
    pub fault: Option<String>,
    pub probes: Vec<Case>,
    /// The console's last lines.
    pub tail: Vec<String>,
    pub screenshot: bool,
}

/// Writes each credential as the SMBIOS string that systemd looks for: through a file, so that `ps` does not show it.
pub fn write_credentials(credentials: &[Credential], paths: &[PathBuf]) -> Result<()> {
    for (credential, path) in credentials.iter().zip(paths) {
        let text = format!("io.systemd.credential.binary:{}={}", credential.name, credential.base64);
        fs::write(path, text).at("write", path)?;
    }
    Ok(())
}
