//! Where lines go: into memory at once, and to the journal and the files by a thread each, so that a journal that is
//! restarting or a slow disk never keeps a port from being read, nor the one the other.

use std::collections::{BTreeSet, VecDeque};
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::files::Files;
use crate::history::{History, Line};
use crate::journal;

/// The most bytes that wait to be written by one outlet; lines beyond that are in memory only, and that is said.
const LIMIT: usize = 16 * 1024 * 1024;
/// How long the end waits for what is still to be written.
const FAREWELL: Duration = Duration::from_secs(3);

/// Something to be written.
#[derive(Debug, Clone)]
pub enum Entry {
    Line(Line),
    /// About the monitor itself, in the journal's form.
    Said(String),
}

impl Entry {
    fn bytes(&self) -> usize {
        match self {
            Entry::Line(line) => line.text.len() + line.port.len() + 192,
            Entry::Said(text) => text.len() + 128,
        }
    }
}

/// What lines are written to.
pub trait Sink: Send {
    fn write(&mut self, entry: &Entry);
}

/// Standard output, which is the journal under systemd.
pub struct Journal<W>(pub W);

impl<W: Write + Send> Sink for Journal<W> {
    fn write(&mut self, entry: &Entry) {
        let text = match entry {
            Entry::Line(line) => journal::line(line),
            Entry::Said(text) => text.clone(),
        };
        // Nobody left to read is no reason to stop: the journal may be restarting.
        let _ = self.0.write_all(text.as_bytes()).and_then(|()| self.0.flush());
    }
}

/// Standard error, for what is said of the monitor itself when standard output is a client's.
pub struct Complaints;

impl Sink for Complaints {
    fn write(&mut self, entry: &Entry) {
        if let Entry::Said(text) = entry {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// A file for each port. That one cannot be written is said once, until it can again.
pub struct PortFiles {
    files: Files,
    broken: BTreeSet<String>,
}

impl PortFiles {
    pub fn new(files: Files) -> Self {
        PortFiles { files, broken: BTreeSet::new() }
    }
}

impl Sink for PortFiles {
    fn write(&mut self, entry: &Entry) {
        let Entry::Line(line) = entry else { return };
        match self.files.write(&line.port, &journal::plain(line)) {
            Ok(()) => drop(self.broken.remove(&line.port)),
            Err(e) if self.broken.insert(line.port.clone()) => {
                let text = journal::warning(&format!("{}: cannot write its file: {e}", line.port));
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
            }
            Err(_) => {}
        }
    }
}

#[derive(Debug, Default)]
pub struct Record {
    pub history: History,
    outlets: Vec<Arc<Outlet>>,
}

impl Record {
    /// Starts a thread for each sink.
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Record {
            history: History::default(),
            outlets: sinks.into_iter().map(|sink| Outlet::start(sink, LIMIT)).collect(),
        }
    }

    /// Takes a line in. Never waits for anything slower than memory.
    pub fn line(&self, port: &str, text: String) {
        let line = self.history.push(Timestamp::now(), uptime(), port, text);
        self.add(&Entry::Line(line));
    }

    pub fn notice(&self, text: &str) {
        self.add(&Entry::Said(journal::notice(text)));
    }

    pub fn warning(&self, text: &str) {
        self.add(&Entry::Said(journal::warning(text)));
    }

    fn add(&self, entry: &Entry) {
        for outlet in &self.outlets {
            outlet.add(entry.clone());
        }
    }

    /// Waits a while until all is written.
    pub fn end(&self) {
        for outlet in &self.outlets {
            outlet.end();
        }
    }
}

/// What waits to be written by one sink.
#[derive(Debug)]
struct Outlet {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    bytes: usize,
    dropped: u64,
    /// The writer has taken something and is at it.
    busy: bool,
    ended: bool,
}

impl Outlet {
    fn start(mut sink: Box<dyn Sink>, limit: usize) -> Arc<Self> {
        let outlet = Arc::new(Outlet { waiting: Mutex::default(), changed: Condvar::new(), limit });
        let own = Arc::clone(&outlet);
        std::thread::spawn(move || {
            while let Some((entries, dropped)) = own.next() {
                for entry in entries {
                    sink.write(&entry);
                    // Until then it takes its memory.
                    own.waiting().bytes -= entry.bytes();
                }
                if dropped > 0 {
                    let text = format!("{dropped} lines were not written: the journal or the disk is too slow");
                    sink.write(&Entry::Said(journal::warning(&text)));
                }
            }
        });
        outlet
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, entry: Entry) {
        let mut waiting = self.waiting();
        if waiting.bytes + entry.bytes() > self.limit {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += entry.bytes();
        waiting.entries.push_back(entry);
        self.changed.notify_all();
    }

    /// All that waits, and how many were dropped; none when it is over.
    fn next(&self) -> Option<(VecDeque<Entry>, u64)> {
        let mut waiting = self.waiting();
        waiting.busy = false;
        self.changed.notify_all();
        while waiting.entries.is_empty() && !waiting.ended {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.entries.is_empty() {
            return None;
        }
        waiting.busy = true;
        Some((std::mem::take(&mut waiting.entries), std::mem::take(&mut waiting.dropped)))
    }

    fn end(&self) {
        let mut waiting = self.waiting();
        waiting.ended = true;
        self.changed.notify_all();
        let unwritten = |waiting: &mut Waiting| waiting.busy || !waiting.entries.is_empty();
        drop(self.changed.wait_timeout_while(waiting, FAREWELL, unwritten));
    }
}

/// The clock that starts with the machine and counts while it sleeps.
fn uptime() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Writes only when it is let.
    struct Slow {
        let_go: Receiver<()>,
        out: Sender<Entry>,
    }

    impl Sink for Slow {
        fn write(&mut self, entry: &Entry) {
            let _ = self.let_go.recv();
            let _ = self.out.send(entry.clone());
        }
    }

    fn slow() -> (Box<dyn Sink>, Sender<()>, Receiver<Entry>) {
        let ((let_go, gate), (out, written)) = (channel(), channel());
        (Box::new(Slow { let_go: gate, out }), let_go, written)
    }

    fn text(entry: Entry) -> String {
        match entry {
            Entry::Line(line) => line.text,
            Entry::Said(text) => text,
        }
    }

    #[test]
    fn a_stalled_outlet_stalls_nothing_and_gets_all() {
        let ((stalled, let_go, late), (quick, gone, early)) = (slow(), slow());
        drop(gone);
        let record = Record::new(vec![stalled, quick]);
        for number in 0..1000 {
            record.line("/dev/p", format!("line {number}"));
        }
        let early_ones = record.history.since(0, 5000, |_| true);
        assert_eq!((early_ones.lines.len(), early_ones.lost), (1000, 0));
        let all = |from: &Receiver<Entry>| -> Vec<String> {
            (0..1000).map(|_| text(from.recv_timeout(Duration::from_secs(10)).unwrap())).collect()
        };
        let expected: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
        assert_eq!(all(&early), expected);
        drop(let_go);
        assert_eq!(all(&late), expected);
    }

    #[test]
    fn what_cannot_wait_any_more_is_counted() {
        let (sink, let_go, written) = slow();
        let outlet = Outlet::start(sink, 1000);
        for _ in 0..100 {
            outlet.add(Entry::Said("x".repeat(100)));
        }
        drop(let_go);
        outlet.end();
        let texts: Vec<String> = written.try_iter().map(text).collect();
        assert!((3..30).contains(&texts.len()), "{}", texts.len());
        assert!(texts.iter().any(|text| text.contains(" lines were not written")), "{texts:?}");
    }
}
