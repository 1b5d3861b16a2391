//! The boot check, from the host's side: asks for it, collects what was seen, and judges.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use borg_config::{BOOT_CHECK_CREDENTIAL, BootCheckRequest};
use serde::{Deserialize, Serialize};

use super::job::{Credential, Goal, Outcome, REPORT, WatchJob};
use super::machine::{Accelerator, Console, Machine};
use super::network::{Fixed, Forward, Network};
use super::options::{self, Firmware, Host, Options};
use super::probe::{Expect, Probe};
use super::tamper;
use crate::catalogue::types::{Protocol, Reach};
use crate::cli::worker::Job;
use crate::error::Result;
use crate::progress::Progress;
use crate::spec::ImageSpec;
use crate::spec::types::{Health, ServiceSpec};
use crate::store::Store;
use crate::workshop::{self, Worker};

/// The first loopback port that forwards use; the network namespace is the worker's own, so all are free.
const FIRST_PORT: u16 = 20_000;

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub ok: bool,
    /// One line each.
    pub failures: Vec<String>,
    pub cases: Vec<Case>,
    pub console_log: PathBuf,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    pub name: String,
    pub ok: bool,
    /// What was seen.
    pub detail: String,
    pub seconds: f64,
}

/// Boots the ISO and judges it: the guest's own verdict, the declared ports from outside and, with Secure Boot, that a
/// tampered kernel is refused.
pub fn check(
    options: &Options,
    spec: &ImageSpec,
    tools_root: &Path,
    store: &Store,
    progress: &Progress,
) -> Result<Verdict> {
    options::check_names(&options.credentials)?;
    let logs = Logs::new(options, "", store);
    let job = job(options, spec, &logs);
    let outcome = run(options.host(), job, tools_root, store, progress)?;
    if let Some(path) = options.screenshot.as_ref().filter(|_| outcome.screenshot) {
        logs.keep_screenshot(path)?;
    }
    let mut cases = cases(options, &outcome);
    if options.firmware == Firmware::UefiSecure {
        cases.push(tamper::case(options, tools_root, store, progress)?);
    }
    Ok(judge(&outcome, cases, &logs, &options.label()))
}

/// Runs a watch in a worker.
pub(super) fn run(
    host: Host<'_>,
    job: WatchJob,
    tools_root: &Path,
    store: &Store,
    progress: &Progress,
) -> Result<Outcome> {
    let mountpoint = store.temporary_folder()?;
    let setup = options::setup(host, tools_root, store, mountpoint.path())?;
    Worker { setup, store, progress }.run(&Job::Watch(Box::new(job)))
}

/// Where a check's logs are, on the host and in the worker.
#[derive(Debug)]
pub(super) struct Logs {
    store: PathBuf,
    name: String,
}

impl Logs {
    pub(super) fn new(options: &Options, suffix: &str, store: &Store) -> Self {
        let iso = options.iso.file_stem().unwrap_or_default().to_string_lossy();
        // The name becomes part of QEMU options, where a comma would end a value.
        let iso: String = iso.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(80).collect();
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S");
        let name = format!("boot-{iso}-{}{suffix}-{now}-{}", options.label(), std::process::id());
        Logs { store: store.root().to_owned(), name }
    }

    fn file(&self, root: &Path, ending: &str) -> PathBuf {
        root.join("logs").join(format!("{}{ending}", self.name))
    }

    pub(super) fn host(&self, ending: &str) -> PathBuf {
        self.file(&self.store, ending)
    }

    pub(super) fn worker(&self, ending: &str) -> PathBuf {
        self.file(Path::new(workshop::STORE), ending)
    }

    fn keep_screenshot(&self, to: &Path) -> Result<()> {
        use crate::error::IoContext;
        std::fs::copy(self.host(".png"), to).map(drop).at("write", to)
    }
}

fn job(options: &Options, spec: &ImageSpec, logs: &Logs) -> WatchJob {
    let request = BootCheckRequest { secure_boot: options.firmware == Firmware::UefiSecure, poweroff: false };
    // A struct of booleans has a JSON form.
    let asked = (BOOT_CHECK_CREDENTIAL.to_owned(), serde_json::to_vec(&request).unwrap_or_default());
    let credentials = encode(options.credentials.iter().chain([&asked]));
    let probes = probes(&spec.services);
    let network = Network { forwards: probes.iter().map(|p| p.forward).collect(), fixed: Fixed::of(spec) };
    WatchJob {
        machine: Machine {
            report: Some(REPORT.into()),
            credentials: paths(credentials.len()),
            ..machine(options, network, logs)
        },
        goal: Goal::Verdict,
        probes,
        credentials,
        timeout: options.timeout,
        console_log: logs.worker(".log"),
        qemu_log: logs.worker(".qemu.log"),
        screenshot: (logs.worker(".png"), options.screenshot.is_some()),
    }
}

/// A machine without credentials whose console goes to the log.
pub(super) fn machine(options: &Options, network: Network, logs: &Logs) -> Machine {
    Machine {
        firmware: options.firmware,
        media: options.media,
        disk: options.disk.is_some(),
        memory_mb: options.memory_mb,
        network,
        console: Console::File(logs.worker(".log")),
        serial: None,
        report: None,
        credentials: Vec::new(),
    }
}

pub(super) fn encode<'a>(credentials: impl Iterator<Item = &'a (String, Vec<u8>)>) -> Vec<Credential> {
    credentials.map(|(name, bytes)| Credential { name: name.clone(), base64: BASE64_STANDARD.encode(bytes) }).collect()
}

/// Where a worker writes the credentials' SMBIOS strings.
pub(super) fn paths(count: usize) -> Vec<PathBuf> {
    (0..count).map(|i| format!("{}/credential-{i}", workshop::WORK).into()).collect()
}

/// What is asked of each TCP port that a service declares; a port that is public for one service is public.
fn probes(services: &[ServiceSpec]) -> Vec<Probe> {
    let mut wanted: BTreeMap<u16, (String, Expect)> = BTreeMap::new();
    for service in services {
        for port in service.ports.iter().filter(|p| p.protocol == Protocol::Tcp) {
            let expect = match port.reach {
                Reach::Public => answer(service, port.port),
                Reach::Loopback if wanted.contains_key(&port.port) => continue,
                Reach::Loopback => Expect::Refusal,
                Reach::Client => continue,
            };
            wanted.insert(port.port, (service.name.clone(), expect));
        }
    }
    let forward = |(host, (guest, (service, expect)))| Probe { service, forward: Forward { host, guest }, expect };
    (FIRST_PORT..).zip(wanted).map(forward).collect()
}

/// A port with an HTTP health check is asked that way from outside too.
fn answer(service: &ServiceSpec, port: u16) -> Expect {
    let path = service.health.iter().find_map(|h| match h {
        Health::Http { port: p, path } if *p == port => Some(path.clone()),
        _ => None,
    });
    path.map_or(Expect::Answer, Expect::Http)
}

fn cases(options: &Options, outcome: &Outcome) -> Vec<Case> {
    let with = if outcome.accelerator == Accelerator::Kvm { "KVM" } else { "TCG" };
    let boots = Case {
        name: format!("boots ({}, {})", options.firmware, options.media),
        ok: outcome.fault.is_none(),
        detail: outcome.fault.clone().unwrap_or_else(|| format!("verdict after {:.0} s with {with}", outcome.seconds)),
        seconds: outcome.seconds,
    };
    let inside = outcome.report.iter().flat_map(|r| r.cases.iter().cloned());
    std::iter::once(boots).chain(inside).chain(outcome.probes.iter().cloned()).collect()
}

fn judge(outcome: &Outcome, cases: Vec<Case>, logs: &Logs, label: &str) -> Verdict {
    let failed = cases.iter().filter(|c| !c.ok).map(|c| format!("{}: {}", c.name, c.detail));
    let mut failures: Vec<String> = failed.collect();
    if let Some(report) = &outcome.report {
        failures.extend(report.failures.iter().cloned());
        if !report.ok && failures.is_empty() {
            failures.push(format!("{label}: the guest's verdict is not ok"));
        }
    }
    if outcome.fault.is_some() {
        let last = outcome.tail.join("\n    ");
        failures.push(format!("the console's last lines:\n    {last}"));
        if outcome.screenshot {
            failures.push(format!("the screen at that time: {}", logs.host(".png").display()));
        }
    }
    Verdict { ok: failures.is_empty(), failures, cases, console_log: logs.host(".log") }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
