//! Looks for ports every second and listens to each in a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use borg_config::ComMonitor;
use serial2::SerialPort;

use crate::journal;
use crate::lines::Lines;
use crate::ports::{self, Found};

const RESCAN: Duration = Duration::from_secs(1);
/// How long a line may stay unfinished before what there is of it is written.
const SILENCE: Duration = Duration::from_secs(1);
const CONSOLES: &str = "/sys/class/tty/console/active";

/// What is known between two looks.
#[derive(Default)]
struct Monitor {
    listeners: BTreeMap<u64, JoinHandle<()>>,
    /// Told once and not again until the port is gone.
    told: BTreeSet<PathBuf>,
    refused: BTreeMap<u64, PathBuf>,
}

/// Runs until `stop` is set. A port that is missing or broken is waited for, never fatal.
pub fn run(config: &ComMonitor, stop: &Arc<AtomicBool>) {
    let consoles = ports::consoles(&std::fs::read_to_string(CONSOLES).unwrap_or_default());
    let mut monitor = Monitor::default();
    while !stop.load(Ordering::Relaxed) {
        monitor.look(config, &consoles, stop);
        thread::sleep(RESCAN);
    }
    for (_, listener) in monitor.listeners {
        let _ = listener.join();
    }
}

impl Monitor {
    fn look(&mut self, config: &ComMonitor, consoles: &BTreeSet<String>, stop: &Arc<AtomicBool>) {
        self.listeners.retain(|_, listener| !listener.is_finished());
        let scan = ports::scan(config, consoles);
        for path in scan.consoles {
            if self.told.insert(path.clone()) {
                journal::notice(&format!("{}: the kernel's console, left alone", path.display()));
            }
        }
        self.refused.retain(|number, _| scan.found.contains_key(number));
        for (number, found) in scan.found {
            if self.listeners.contains_key(&number) {
                continue;
            }
            match open(&found) {
                Ok(port) => {
                    self.refused.remove(&number);
                    self.listeners.insert(number, listen(port, found, Arc::clone(stop)));
                }
                Err(e) if self.refused.insert(number, found.path.clone()).is_none() => {
                    journal::warning(&format!("{}: cannot listen: {e}; trying on", found.path.display()));
                }
                Err(_) => {}
            }
        }
    }
}

fn open(found: &Found) -> io::Result<SerialPort> {
    let mut port = SerialPort::open(&found.path, |mut settings: serial2::Settings| {
        settings.set_raw();
        settings.set_baud_rate(found.baud)?;
        Ok(settings)
    })?;
    port.set_read_timeout(SILENCE)?;
    Ok(port)
}

fn listen(port: SerialPort, found: Found, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    journal::notice(&format!("{}: listening at {} baud", found.path.display(), found.baud));
    thread::spawn(move || {
        let end = follow(&port, &found.path, &stop);
        match end {
            Ok(()) => journal::notice(&format!("{}: closed", found.path.display())),
            Err(e) => journal::notice(&format!("{}: gone: {e}", found.path.display())),
        }
    })
}

/// Writes lines until the port goes away or `stop` is set.
fn follow(port: &SerialPort, path: &Path, stop: &AtomicBool) -> io::Result<()> {
    let mut lines = Lines::default();
    let mut buffer = [0; 4096];
    let result = loop {
        if stop.load(Ordering::Relaxed) {
            break Ok(());
        }
        match port.read(&mut buffer) {
            Ok(0) => break Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Ok(count) => {
                for line in lines.push(buffer.get(..count).unwrap_or_default()) {
                    journal::line(path, &line);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                if let Some(line) = lines.flush() {
                    journal::line(path, &line);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => break Err(e),
        }
    };
    if let Some(line) = lines.flush() {
        journal::line(path, &line);
    }
    result
}
