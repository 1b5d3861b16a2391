//! What a run says while it works: one place writes to stderr.
//!
//! Three voices: bars and lines on a terminal, plain lines when piped, one JSON object a line for machines.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    Terminal,
    Plain,
    Json,
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

    /// Says nothing at all: for tests.
    pub fn silent() -> Self {
        Progress { voice: Voice::Plain }
    }

    /// One line for a person: `what` is a stable word for machines (`layer`, `mirror`), `text` a sentence.
    pub fn say(&self, what: &str, text: &str) {
        let line = match self.voice {
            Voice::Json => serde_json::json!({ "event": what, "text": text }).to_string(),
            Voice::Terminal | Voice::Plain => format!("{what:>9}  {text}"),
        };
        // A closed stderr is no reason to stop a build.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Starts a bar of `bytes`; on a terminal it shows rate and time left.
    pub fn bytes(&self, what: &str, bytes: u64) -> Task {
        let bar = if self.voice == Voice::Terminal {
            ProgressBar::new(bytes)
        } else {
            ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::hidden())
        };
        if let Ok(style) =
            ProgressStyle::with_template("{msg:>9}  {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}")
        {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Task { bar }
    }
}

impl Task {
    pub fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
