//! What a run says while it works: one place writes to stderr.
//!
//! Three voices: bars and lines on a terminal, plain lines when piped, one JSON object a line for machines.

#![allow(clippy::disallowed_methods, reason = "an edge: stderr, and the clock for rates")]

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

use crate::plain;

/// How often a task says how far it is where there are no bars.
const NEWS: Duration = Duration::from_secs(10);

/// The bars of all threads, in one place so that none is drawn over another or over a line.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

#[derive(Debug, Clone)]
enum Voice {
    Terminal,
    Plain,
    Json,
    /// Lines that a test looks at.
    #[cfg(test)]
    Kept(Arc<Mutex<Vec<String>>>),
}

/// Cheap to clone and safe to share between threads.
#[derive(Debug, Clone)]
pub struct Progress {
    voice: Voice,
}

/// A task with a known amount of bytes.
#[derive(Debug, Clone)]
pub struct Task {
    bar: ProgressBar,
    /// Where there are no bars.
    teller: Option<Arc<Teller>>,
}

/// Bytes of a task that count only if it all comes to something: what is not kept is taken off again.
#[derive(Debug)]
pub struct Attempt<'t> {
    task: &'t Task,
    bytes: Cell<u64>,
}

impl Progress {
    pub fn new(json: bool) -> Self {
        let voice = if json {
            Voice::Json
        } else if std::io::stderr().is_terminal() {
            Voice::Terminal
        } else {
            Voice::Plain
        };
        Progress { voice }
    }

    /// Keeps what is said to itself.
    #[cfg(test)]
    pub fn silent() -> Self {
        Progress { voice: Voice::Kept(Arc::default()) }
    }

    /// All that was said to a silent one.
    #[cfg(test)]
    pub fn said(&self) -> String {
        let Voice::Kept(lines) = &self.voice else { return String::new() };
        lines.lock().map(|lines| lines.join("\n")).unwrap_or_default()
    }

    /// One line for a person: `what` is a stable word for machines (`layer`, `mirror`), `text` a sentence.
    pub fn say(&self, what: &str, text: &str) {
        let line = format!("{what:>9}  {}", plain::line(text));
        match &self.voice {
            Voice::Json => write(&format!("{}\n", serde_json::json!({ "event": what, "text": text }))),
            Voice::Terminal | Voice::Plain => write(&format!("{line}\n")),
            #[cfg(test)]
            Voice::Kept(lines) => drop(lines.lock().map(|mut lines| lines.push(line))),
        }
    }

    /// How far something is: numbers for a machine, and for a person its pace too.
    pub fn amount(&self, what: &str, done: u64, total: u64, pace: Option<&Pace>) {
        if let Voice::Json = self.voice {
            let event = serde_json::json!({ "event": "progress", "what": what, "done": done, "total": total });
            return write(&format!("{event}\n"));
        }
        let pace = pace.map(Pace::shown).unwrap_or_default();
        self.say(what, &format!("{} of {}{pace}", DecimalBytes(done), DecimalBytes(total)));
    }

    /// Starts a task of `bytes`: a bar on a terminal, a line now and then elsewhere.
    pub fn bytes(&self, what: &str, bytes: u64) -> Task {
        if !matches!(self.voice, Voice::Terminal) {
            let news = Mutex::new(News { at: Instant::now(), done: 0 });
            let teller = Teller { progress: self.clone(), what: what.to_owned(), total: bytes, news };
            // Hidden: it only counts.
            return Task { bar: ProgressBar::hidden(), teller: Some(Arc::new(teller)) };
        }
        let bar = BARS.add(ProgressBar::new(bytes));
        if let Ok(style) = ProgressStyle::with_template(
            "{msg:>9}  {bar:30} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}",
        ) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Task { bar, teller: None }
    }
}

/// Writes to stderr, with the bars out of the way. A closed stderr is no reason to stop.
pub fn write(text: &str) {
    let write = || drop(std::io::stderr().lock().write_all(text.as_bytes()));
    if BARS.is_hidden() { write() } else { BARS.suspend(write) }
}

impl Task {
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        if let Some(teller) = &self.teller {
            teller.tell(Instant::now(), self.bar.position());
        }
    }

    /// Starts something that may fail and be done again.
    pub fn attempt(&self) -> Attempt<'_> {
        Attempt { task: self, bytes: Cell::new(0) }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
        BARS.remove(&self.bar);
    }
}

impl Attempt<'_> {
    pub fn add(&self, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        self.task.add(bytes);
    }

    pub fn keep(self) {
        self.bytes.set(0);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.task.bar.dec(self.bytes.get());
    }
}

#[derive(Debug)]
struct Teller {
    progress: Progress,
    what: String,
    total: u64,
    news: Mutex<News>,
}

impl Teller {
    fn tell(&self, now: Instant, done: u64) {
        let pace = self.news.lock().ok().and_then(|mut last| last.next(now, done, self.total));
        if let Some(pace) = pace {
            self.progress.amount(&self.what, done, self.total, Some(&pace));
        }
    }
}

/// What was said last, and when.
#[derive(Debug)]
struct News {
    at: Instant,
    done: u64,
}

impl News {
    /// The pace since then, if it is time to say something again.
    fn next(&mut self, now: Instant, done: u64, total: u64) -> Option<Pace> {
        let time = now.saturating_duration_since(self.at);
        if time < NEWS {
            return None;
        }
        let rate = done.saturating_sub(self.done) / time.as_secs().max(1);
        *self = News { at: now, done };
        let left = total.saturating_sub(done).checked_div(rate).map(Duration::from_secs);
        Some(Pace { rate, left })
    }
}

/// How fast something goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second.
    rate: u64,
    left: Option<Duration>,
}

impl Pace {
    fn shown(&self) -> String {
        let left = self.left.map(|left| format!(", {} left", HumanDuration(left))).unwrap_or_default();
        format!(", {}/s{left}", DecimalBytes(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_task_says_now_and_then_how_far_it_is() {
        let progress = Progress::silent();
        let task = progress.bytes("download", 100_000_000);
        let teller = task.teller.clone().unwrap();
        let start = teller.news.lock().unwrap().at;
        for (second, done) in [(1, 5), (9, 15), (10, 20), (11, 21), (19, 22), (20, 22), (31, 33)] {
            teller.tell(start + Duration::from_secs(second), done * 1_000_000);
        }
        insta::assert_snapshot!(progress.said(), @"
         download  20.00 MB of 100.00 MB, 2.00 MB/s, 40 seconds left
         download  22.00 MB of 100.00 MB, 200.00 kB/s, 7 minutes left
         download  33.00 MB of 100.00 MB, 1.00 MB/s, 67 seconds left
        ");
    }

    #[test]
    fn a_terminal_obeys_nothing_that_is_said() {
        let progress = Progress::silent();
        progress.say("lock", "x\u{1b}[2J\ny");
        assert_eq!(progress.said(), "     lock  x?[2J?y");
    }

    #[test]
    fn what_came_to_nothing_does_not_count() {
        let task = Progress::silent().bytes("download", 10);
        let attempt = task.attempt();
        attempt.add(4);
        assert_eq!(task.bar.position(), 4);
        drop(attempt);
        assert_eq!(task.bar.position(), 0);
        let attempt = task.attempt();
        attempt.add(10);
        attempt.keep();
        assert_eq!(task.bar.position(), 10);
    }
}
