//! What is known of each port, for whoever asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use borg_config::SerialPort as Rule;
use jiff::Timestamp;
use serde::Serialize;
use serial2::SerialPort;

use crate::counts::Counts;
use crate::rate::{Meter, Rates};

/// A port that is there or was.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    pub port: String,
    /// Being read now.
    pub listening: bool,
    pub baud: u32,
    pub framing: borg_config::Framing,
    /// Whether `write_line` may write to it.
    pub writable: bool,
    /// How often it was opened: once more for each time that it was plugged in.
    pub opened: u64,
    /// Read since this program started.
    pub bytes: u64,
    pub lines: u64,
    /// Of the last minute.
    pub per_second: Rates,
    pub last_line: Option<Timestamp>,
    /// Of the driver; none if it keeps none.
    pub counts: Option<Counts>,
    /// Why it cannot be read, if it is there and cannot.
    pub fault: Option<String>,
}

#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<String, Known>>);

#[derive(Debug)]
struct Known {
    status: Status,
    meter: Meter,
    open: Option<Arc<SerialPort>>,
}

impl Known {
    fn new(port: &str, rule: &Rule) -> Self {
        Known { status: fresh(port, rule), meter: Meter::new(Instant::now()), open: None }
    }

    /// As it is now.
    fn status(&mut self) -> Status {
        Status { per_second: self.meter.rates(Instant::now()), ..self.status.clone() }
    }
}

impl Board {
    fn ports(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of a port.
    fn with(&self, port: &str, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.ports().get_mut(port) {
            change(known);
        }
    }

    /// A port was opened, or could not be.
    pub fn opened(&self, port: &str, rule: &Rule, result: Result<Arc<SerialPort>, String>) {
        let mut ports = self.ports();
        let known = ports.entry(port.to_owned()).or_insert_with(|| Known::new(port, rule));
        known.status.listening = result.is_ok();
        known.status.opened += u64::from(result.is_ok());
        (known.open, known.status.fault) = match result {
            Ok(open) => (Some(open), None),
            Err(fault) => (None, Some(fault)),
        };
    }

    /// The port that could not be opened is gone, or has another name.
    pub fn forget_fault(&self, port: &str) {
        self.with(port, |known| known.status.fault = None);
    }

    pub fn closed(&self, port: &str) {
        self.with(port, |known| {
            known.open = None;
            known.status.listening = false;
        });
    }

    pub fn read(&self, port: &str, bytes: usize, lines: usize) {
        self.with(port, |known| {
            known.status.bytes += bytes as u64;
            known.status.lines += lines as u64;
            known.meter.add(Instant::now(), bytes, lines);
            if lines > 0 {
                known.status.last_line = Some(Timestamp::now());
            }
        });
    }

    pub fn counted(&self, port: &str, counts: Counts) {
        self.with(port, |known| known.status.counts = Some(counts));
    }

    pub fn all(&self) -> Vec<Status> {
        self.ports().values_mut().map(Known::status).collect()
    }

    pub fn one(&self, port: &str) -> Option<Status> {
        self.ports().get_mut(port).map(Known::status)
    }

    /// The open port, to be written to.
    pub fn open(&self, port: &str) -> Option<Arc<SerialPort>> {
        self.ports().get(port)?.open.clone()
    }
}

fn fresh(port: &str, rule: &Rule) -> Status {
    Status {
        port: port.to_owned(),
        listening: false,
        baud: rule.baud,
        framing: rule.framing,
        writable: rule.write,
        opened: 0,
        bytes: 0,
        lines: 0,
        per_second: Rates::default(),
        last_line: None,
        counts: None,
        fault: None,
    }
}
