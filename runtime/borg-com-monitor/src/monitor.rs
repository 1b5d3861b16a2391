//! Looks for ports every second and listens to each in a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use borg_config::{ComMonitor, Framing};
use rustix::fs::FlockOperation;
use serial2::{CharSize, Parity, SerialPort, Settings, StopBits};
use tokio::sync::Semaphore;

use crate::board::Board;
use crate::counts::{self, Counts};
use crate::lines::Lines;
use crate::ports::{self, Found};
use crate::record::Record;

const RESCAN: Duration = Duration::from_secs(1);
/// How long a line may stay unfinished before what there is of it is written.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a port may take no byte that is to be written.
const WRITE_TIME: Duration = Duration::from_secs(5);
const CONSOLES: &str = "/sys/class/tty/console/active";
/// The kernel gives a terminal's bytes in pieces of 4 KiB at most; more of them may be waiting.
const BUFFER: usize = 64 * 1024;

/// How many calls may wait for lines at once.
pub const WAITING: usize = 8;

/// What all threads work on.
#[derive(Debug, Clone)]
pub struct Shared {
    pub board: Arc<Board>,
    pub record: Arc<Record>,
    pub stop: Arc<AtomicBool>,
    pub waiting: Arc<Semaphore>,
    pub writing: Arc<tokio::sync::Mutex<()>>,
}

impl Shared {
    pub fn new(record: Record) -> Self {
        Shared {
            board: Arc::default(),
            record: Arc::new(record),
            stop: Arc::default(),
            waiting: Arc::new(Semaphore::new(WAITING)),
            writing: Arc::default(),
        }
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new(Record::default())
    }
}

/// What is known between two looks.
#[derive(Default)]
struct Monitor {
    listeners: BTreeMap<u64, JoinHandle<()>>,
    /// Told once and not again until the port is gone.
    told: BTreeSet<PathBuf>,
    refused: BTreeMap<u64, Refused>,
    /// What was there at the last look.
    before: BTreeSet<u64>,
}

/// A port that could not be opened.
struct Refused {
    path: PathBuf,
    /// How many looks in a row.
    looks: u64,
}

/// Runs until `stop` is set. A port that is missing or broken is waited for, never fatal.
pub fn run(config: &ComMonitor, shared: &Shared) {
    let consoles = ports::consoles(&std::fs::read_to_string(CONSOLES).unwrap_or_default());
    let mut monitor = Monitor::default();
    while !shared.stop.load(Ordering::Relaxed) {
        monitor.look(config, &consoles, shared);
        thread::sleep(RESCAN);
    }
    for (_, listener) in monitor.listeners {
        let _ = listener.join();
    }
}

impl Monitor {
    fn look(&mut self, config: &ComMonitor, consoles: &BTreeSet<String>, shared: &Shared) {
        self.listeners.retain(|_, listener| !listener.is_finished());
        let scan = ports::scan(config, consoles, &ports::STABLE);
        for path in scan.consoles {
            if self.told.insert(path.clone()) {
                shared.record.notice(&format!("{}: the kernel's console, left alone", path.display()));
            }
        }
        self.refused.retain(|number, refused| {
            // The same port may have got another name: then the first one is no fault any more.
            let there = scan.found.get(number).is_some_and(|found| found.path == refused.path);
            if !there {
                shared.board.forget_fault(&refused.path.display().to_string());
            }
            there
        });
        let now = scan.found.keys().copied().collect();
        for (number, found) in scan.found {
            let is_too_new = found.may_be_renamed() && !self.before.contains(&number);
            if !is_too_new && !self.listeners.contains_key(&number) {
                self.listen(number, found, shared);
            }
        }
        self.before = now;
    }

    fn listen(&mut self, number: u64, found: Found, shared: &Shared) {
        let name = found.path.display().to_string();
        match open(&found) {
            Ok(port) => {
                self.refused.remove(&number);
                let port = Arc::new(port);
                shared.board.opened(&name, &found.rule, Ok(Arc::clone(&port)));
                shared.record.notice(&format!("{name}: listening at {} baud", found.rule.baud));
                let listener = Listener { port, name: name.clone(), found, shared: shared.clone() };
                match thread::Builder::new().spawn(move || listener.run()) {
                    Ok(thread) => drop(self.listeners.insert(number, thread)),
                    Err(e) => {
                        shared.board.closed(&name);
                        shared.record.warning(&format!("{name}: cannot listen: {e}; trying on"));
                    }
                }
            }
            Err(e) => self.refuse(number, &found, &name, &e.to_string(), shared),
        }
    }

    /// udev may not be done with a port that was plugged in just now: only the second look in a row tells.
    fn refuse(&mut self, number: u64, found: &Found, name: &str, fault: &str, shared: &Shared) {
        let refused = self.refused.entry(number).or_insert_with(|| Refused { path: found.path.clone(), looks: 0 });
        refused.looks += 1;
        if refused.looks == 2 {
            shared.board.opened(name, &found.rule, Err(fault.to_owned()));
            shared.record.warning(&format!("{name}: cannot listen: {fault}; trying on"));
        }
    }
}

fn open(found: &Found) -> io::Result<SerialPort> {
    let mut port = SerialPort::open(&found.path, |mut settings: Settings| {
        settings.set_raw();
        settings.set_baud_rate(found.rule.baud)?;
        frame(&mut settings, found.rule.framing);
        Ok(settings)
    })?;
    // Two that read one port get half of it each.
    let busy = |e: rustix::io::Errno| match e {
        rustix::io::Errno::WOULDBLOCK => io::Error::new(io::ErrorKind::ResourceBusy, "another program reads it"),
        e => e.into(),
    };
    rustix::fs::flock(&port, FlockOperation::NonBlockingLockExclusive).map_err(busy)?;
    rustix::termios::ioctl_tiocexcl(&port)?;
    port.set_read_timeout(SILENCE)?;
    port.set_write_timeout(WRITE_TIME)?;
    Ok(port)
}

fn frame(settings: &mut Settings, framing: Framing) {
    settings.set_char_size(match framing.data {
        borg_config::DataBits::Five => CharSize::Bits5,
        borg_config::DataBits::Six => CharSize::Bits6,
        borg_config::DataBits::Seven => CharSize::Bits7,
        borg_config::DataBits::Eight => CharSize::Bits8,
    });
    settings.set_parity(match framing.parity {
        borg_config::Parity::None => Parity::None,
        borg_config::Parity::Even => Parity::Even,
        borg_config::Parity::Odd => Parity::Odd,
    });
    settings.set_stop_bits(match framing.stop {
        borg_config::StopBits::One => StopBits::One,
        borg_config::StopBits::Two => StopBits::Two,
    });
}

struct Listener {
    port: Arc<SerialPort>,
    name: String,
    found: Found,
    shared: Shared,
}

impl Listener {
    fn run(self) {
        let end = self.follow();
        self.shared.board.closed(&self.name);
        match end {
            Ok(()) => self.shared.record.notice(&format!("{}: closed", self.name)),
            Err(e) => self.shared.record.notice(&format!("{}: gone: {e}", self.name)),
        }
    }

    /// Keeps lines until the port goes away or `stop` is set.
    fn follow(&self) -> io::Result<()> {
        let mut lines = Lines::new(self.found.rule.line_ending, self.found.rule.encoding);
        let mut buffer = vec![0; BUFFER];
        let mut counts = counts::of(self.port.as_fd());
        let mut looked = Instant::now();
        let result = loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            match self.port.read(&mut buffer) {
                Ok(0) => break Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(count) => self.keep(lines.push(buffer.get(..count).unwrap_or_default()), count),
                Err(e) if e.kind() == io::ErrorKind::TimedOut => self.keep(lines.flush().into_iter().collect(), 0),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
            if looked.elapsed() >= RESCAN {
                looked = Instant::now();
                counts = self.count(counts);
            }
        };
        self.keep(lines.finish().into_iter().collect(), 0);
        self.count(counts);
        result
    }

    fn keep(&self, lines: Vec<String>, bytes: usize) {
        self.shared.board.read(&self.name, bytes, lines.len());
        for line in lines {
            self.shared.record.line(&self.name, line);
        }
    }

    /// Looks at the driver's counters, and says what was lost since the last look.
    fn count(&self, before: Option<Counts>) -> Option<Counts> {
        let now = counts::of(self.port.as_fd())?;
        self.shared.board.counted(&self.name, now);
        let lost = before.map_or(0, |before| now.lost_since(&before));
        if lost > 0 {
            self.shared
                .record
                .warning(&format!("{}: {lost} characters were lost before they could be read", self.name));
        }
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_framing_reaches_the_port() {
        let (port, _other) = SerialPort::pair().unwrap();
        let mut settings = port.get_configuration().unwrap();
        for (framing, expected) in [
            ("5O2", (CharSize::Bits5, Parity::Odd, StopBits::Two)),
            ("6N1", (CharSize::Bits6, Parity::None, StopBits::One)),
            ("7E2", (CharSize::Bits7, Parity::Even, StopBits::Two)),
            ("8N1", (CharSize::Bits8, Parity::None, StopBits::One)),
        ] {
            frame(&mut settings, framing.parse().unwrap());
            let set = (settings.get_char_size(), settings.get_parity(), settings.get_stop_bits());
            assert_eq!((set.0.unwrap(), set.1.unwrap(), set.2.unwrap()), expected, "{framing}");
        }
    }
}
