//! The check's part inside a worker: boots the machine, waits for what is asked, probes ports, ends the machine.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use super::attempt::{Attempt, Stop};
use super::check::Case;
use super::console::{Stage, clean};
use super::job::{Goal, Outcome, REPORT, WatchJob, write_credentials};
use super::machine::Accelerator;
use super::probe::Expect;
use super::report::{self, Report};
use super::{accelerator, loopback, machine};
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::Voice;

/// How often the machine is looked at.
const STEP: Duration = Duration::from_millis(200);
/// How long the report may come after the console's line.
const GRACE: Duration = Duration::from_secs(5);
/// Emulated firmware speaks within this time, if it has something to boot.
const SILENCE: Duration = Duration::from_secs(90);

/// Does the job inside the worker.
pub fn watch(job: &WatchJob, store: &Store) -> Result<Outcome> {
    loopback::up()?;
    write_credentials(&job.credentials, &job.machine.credentials)?;
    if accelerator::known(store)? != Some(false) {
        match Watch::start(job, Accelerator::Kvm)?.run()? {
            Some(outcome) => {
                if outcome.fault.is_none() {
                    accelerator::remember(true, store)?;
                }
                return Ok(outcome);
            }
            None => accelerator::remember(false, store)?,
        }
    }
    let outcome = Watch::start(job, Accelerator::Tcg)?.run()?;
    outcome.ok_or_else(|| crate::Error::internal("QEMU stopped the guest for an error of its own"))
}

struct Watch<'a> {
    job: &'a WatchJob,
    accelerator: Accelerator,
    attempt: Attempt,
    stage: Stage,
    /// When the console's verdict line came.
    line_at: Option<Instant>,
}

/// How waiting ended.
enum End {
    Reached(Option<Report>),
    Fault(String),
    /// The accelerator failed, not the guest.
    Again,
}

impl<'a> Watch<'a> {
    fn start(job: &'a WatchJob, accelerator: Accelerator) -> Result<Self> {
        let _ = fs::remove_file(REPORT);
        Voice.say("boot", &format!("{}, {}, with {}", job.machine.firmware, job.machine.media, accelerator.title()));
        let attempt = Attempt::start(&job.machine, accelerator, &job.console_log, &job.qemu_log)?;
        Ok(Watch { job, accelerator, attempt, stage: Stage::Silent, line_at: None })
    }

    /// None if the boot has to be done with another accelerator.
    fn run(mut self) -> Result<Option<Outcome>> {
        let end = loop {
            if let Some(end) = self.step()? {
                break end;
            }
            std::thread::sleep(STEP);
        };
        let (report, fault) = match end {
            End::Again => {
                self.attempt.end();
                return Ok(None);
            }
            End::Reached(report) => (report, None),
            End::Fault(fault) => (None, Some(fault)),
        };
        let seconds = self.attempt.elapsed().as_secs_f64();
        let probes = if fault.is_none() { self.probe()? } else { Vec::new() };
        Ok(Some(self.finish(report, fault, probes, seconds)))
    }

    fn finish(mut self, report: Option<Report>, fault: Option<String>, probes: Vec<Case>, seconds: f64) -> Outcome {
        let (path, always) = &self.job.screenshot;
        let screenshot = (*always || fault.is_some()) && self.attempt.screenshot(path);
        let tail = self.attempt.console.tail();
        self.attempt.end();
        Outcome { accelerator: self.accelerator, seconds, report, fault, probes, tail, screenshot }
    }

    fn step(&mut self) -> Result<Option<End>> {
        let stop = self.attempt.stopped()?;
        self.attempt.listen()?;
        self.tell();
        if let Some(end) = self.goal()? {
            return Ok(Some(end));
        }
        if let Some(stop) = stop {
            return Ok(Some(self.stop(stop)));
        }
        if let Some(end) = self.hangs() {
            return Ok(Some(end));
        }
        if self.attempt.elapsed() > self.job.timeout {
            return Ok(Some(End::Fault(format!("no verdict within {} s", self.job.timeout.as_secs()))));
        }
        Ok(None)
    }

    /// A guest that comes no further under KVM is tried without. Without KVM one that says nothing is the firmware that has
    /// nothing to boot, which a BIOS says on the screen only.
    fn hangs(&self) -> Option<End> {
        let (stage, elapsed) = (self.attempt.console.stage, self.attempt.elapsed());
        let nothing = || End::Fault("nothing on the serial console: the firmware found nothing to boot".into());
        match self.accelerator {
            Accelerator::Kvm => accelerator::hangs(stage, elapsed).then_some(End::Again),
            Accelerator::Tcg => (stage == Stage::Silent && elapsed > SILENCE).then(nothing),
        }
    }

    /// A milestone is told once.
    fn tell(&mut self) {
        let stage = self.attempt.console.stage;
        if stage > self.stage {
            self.stage = stage;
            let what = match stage {
                Stage::Silent => return,
                Stage::Firmware => "the boot loader speaks",
                Stage::Kernel => "the kernel runs",
                Stage::Init => "systemd runs",
                Stage::Login => "the login prompt is there",
            };
            Voice.say("boot", &format!("{what} ({:.1} s)", self.attempt.elapsed().as_secs_f64()));
        }
    }

    fn goal(&mut self) -> Result<Option<End>> {
        match self.job.goal {
            Goal::Refusal => Ok(self.refusal()),
            Goal::Verdict => self.verdict(),
        }
    }

    fn refusal(&self) -> Option<End> {
        let console = &self.attempt.console;
        if console.stage >= Stage::Kernel {
            return Some(End::Fault("the tampered kernel was started".into()));
        }
        let fault = console.fault.as_ref()?;
        Some(if fault.contains("bad shim signature") { End::Reached(None) } else { End::Fault(fault.clone()) })
    }

    fn verdict(&mut self) -> Result<Option<End>> {
        if let Some(report) = port()? {
            return Ok(Some(match report {
                Ok(report) => End::Reached(Some(report)),
                Err(fault) => End::Fault(fault),
            }));
        }
        let console = &self.attempt.console;
        if let Some(line) = &console.verdict {
            let since = self.line_at.get_or_insert_with(Instant::now).elapsed();
            return Ok((since > GRACE).then(|| End::Reached(Some(report::from_console(line)))));
        }
        Ok(console.fault.clone().map(End::Fault))
    }

    fn stop(&self, stop: Stop) -> End {
        let silent = self.attempt.console.stage == Stage::Silent;
        match stop {
            Stop::Accelerator => End::Again,
            Stop::Ended if silent && self.accelerator == Accelerator::Kvm => End::Again,
            Stop::Ended => End::Fault(format!("{} failed: {}", machine::PROGRAM, last_line(&self.job.qemu_log))),
            Stop::Off if self.attempt.console.stage < Stage::Init => End::Fault(
                "the guest reset before systemd ran: the initramfs gave up, and says why on the screen".into(),
            ),
            Stop::Off => End::Fault("the guest reset or switched off before its verdict".into()),
        }
    }

    /// Ports that must answer come first: they show that the guest's network is up.
    fn probe(&mut self) -> Result<Vec<Case>> {
        let (closed, open): (Vec<_>, Vec<_>) = self.job.probes.iter().partition(|p| p.expect == Expect::Refusal);
        let mut cases = Vec::new();
        for probe in open.into_iter().chain(closed) {
            cases.push(match self.attempt.monitor()? {
                Some(monitor) => probe.run(monitor)?,
                None => probe.untried("QEMU's monitor does not answer"),
            });
        }
        Ok(cases)
    }
}

/// The guest's report, once it is whole.
fn port() -> Result<Option<Result<Report, String>>> {
    let path = Path::new(REPORT);
    let Ok(file) = fs::File::open(path) else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(report::LIMIT).read_to_end(&mut bytes).at("read", path)?;
    if bytes.len() as u64 == report::LIMIT && !bytes.contains(&b'\n') {
        return Ok(Some(Err("the guest's report has no end".into())));
    }
    Ok(report::from_port(&bytes))
}

/// QEMU's last words.
fn last_line(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    text.lines().last().map_or_else(|| "it gave no reason".into(), clean)
}
