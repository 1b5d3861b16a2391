//! The audit log: who called what, with which arguments, and what came of it. Two lines of JSON a call, without secrets: one
//! before anything is done, and one when it is over.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use borg_config::LineFiles;
use borg_logfile::LogFile;
use borg_mcp::{Caller, Failure};
use jiff::Timestamp;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::count::json_bytes;
use crate::fault::Fault;
use crate::names::Source;
use crate::redact::{Redactor, Room};
use crate::stop::Stop;

/// Its name in its folder.
const FILE: &str = "audit.log";
/// The group that the service runs as may read it.
const MODE: u32 = 0o640;
/// The most parts of a result that are written down.
const PARTS: usize = 8;
/// About how many bytes of arguments and of a result are written down: nobody shall flush the log with few calls.
const ARGUMENTS: usize = 2048;
const RESULT: usize = 1024;

#[derive(Debug, Clone)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    redactor: Redactor,
    /// Standard error without.
    file: Option<Mutex<LogFile>>,
    stop: Stop,
    /// Another for each run, so that no two calls of a log have the same number.
    run: String,
    calls: AtomicU64,
    /// Calls that are not over.
    open: watch::Sender<usize>,
}

/// A call that has begun. One that is dropped is over, too.
#[derive(Debug)]
pub struct Call {
    audit: Audit,
    head: Head,
    begun: Instant,
    is_over: bool,
}

/// What both lines of a call have.
#[derive(Debug, Clone, Serialize)]
struct Head {
    id: String,
    caller: Caller,
    tool: String,
    source: Option<Source>,
}

#[derive(Debug, Serialize)]
struct Line {
    time: Timestamp,
    #[serde(flatten)]
    event: Event,
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    what: What,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Begin,
    End,
}

#[derive(Debug, Default, Serialize)]
struct What {
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Value>,
    /// How long they are, where not all are written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u64>,
}

impl Audit {
    /// A log that cannot be written keeps the gateway from starting.
    pub fn new(files: Option<&LineFiles>, stop: Stop) -> Result<Self, Failure> {
        let open = |files: &LineFiles| {
            let path = files.folder.join(FILE);
            let mut file = LogFile::new(&path, files.max_size, files.keep).with_mode(MODE);
            file.open().map_err(|e| format!("cannot write the audit log {}: {e}", path.display()))?;
            Ok::<_, String>(Mutex::new(file))
        };
        let file = files.map(open).transpose()?;
        // The standard library's own randomness does for a number that need not be secret.
        let run = format!("{:08x}", RandomState::new().build_hasher().finish() >> 32);
        let (calls, open) = (AtomicU64::new(1), watch::Sender::new(0));
        Ok(Audit(Arc::new(Inner { redactor: Redactor::new()?, file, stop, run, calls, open })))
    }

    /// Writes the first line. Whoever waits for this before he does anything does nothing that is not written down.
    pub async fn begin(
        &self,
        caller: Caller,
        tool: &str,
        source: Option<&Source>,
        arguments: Option<&JsonObject>,
    ) -> Call {
        let Inner { redactor, run, calls, .. } = &*self.0;
        let id = format!("{run}-{}", calls.fetch_add(1, Ordering::Relaxed));
        let head = Head { id, caller, tool: redactor.text(tool), source: source.cloned() };
        let mut room = Room::new(ARGUMENTS);
        let shown = arguments.map(|arguments| redactor.object(arguments, &mut room));
        let arguments_bytes = arguments.filter(|_| room.is_full).map(json_bytes);
        let what = What { arguments: shown, arguments_bytes, ..What::default() };
        self.0.open.send_modify(|open| *open += 1);
        let call = Call { audit: self.clone(), head, begun: Instant::now(), is_over: false };
        let (audit, line) = (self.clone(), call.line(Event::Begin, what));
        // It fails when the program ends.
        let _ = tokio::task::spawn_blocking(move || audit.0.write(&line)).await;
        call
    }

    /// Waits until all calls are over and written down.
    pub async fn quiet(&self) {
        let _ = self.0.open.subscribe().wait_for(|open| *open == 0).await;
    }

    /// What became of a call that nobody waits for any more.
    pub fn left(&self) -> Fault {
        if self.0.stop.is_on() { Fault::Stopped } else { Fault::Left }
    }
}

impl Call {
    fn line(&self, event: Event, what: What) -> Line {
        Line { time: Timestamp::now(), event, head: self.head.clone(), what }
    }

    /// Writes the last line. Whoever waits for this before he answers gives no answer without one. The outcome is
    /// not needed any more by then.
    pub fn end(mut self, outcome: &Result<CallToolResult, Fault>) -> impl Future<Output = ()> + Send + use<> {
        let line = self.last(outcome);
        let write = move || {
            self.audit.0.write(&line);
            self.is_over = true;
        };
        async move {
            // It fails when the program ends.
            let _ = tokio::task::spawn_blocking(write).await;
        }
    }

    fn last(&self, outcome: &Result<CallToolResult, Fault>) -> Line {
        let what = self.audit.0.outcome(outcome);
        let milliseconds = u64::try_from(self.begun.elapsed().as_millis()).ok();
        self.line(Event::End, What { ok: Some(what.error.is_none()), milliseconds, ..what })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_over {
            self.audit.0.write(&self.last(&Err(self.audit.left())));
        }
        self.audit.0.open.send_modify(|open| *open -= 1);
    }
}

impl Inner {
    fn outcome(&self, outcome: &Result<CallToolResult, Fault>) -> What {
        let error = |text: &str| What { error: Some(self.redactor.text(text)), ..What::default() };
        match outcome {
            Err(fault) => error(&fault.to_string()),
            Ok(result) if result.is_error == Some(true) => {
                error(result.content.iter().find_map(ContentBlock::as_text).map_or("an error", |text| &text.text))
            }
            Ok(result) => self.result(result),
        }
    }

    fn result(&self, result: &CallToolResult) -> What {
        let mut room = Room::new(RESULT);
        if result.content.is_empty() {
            let structure = result.structured_content.as_ref().unwrap_or(&Value::Null);
            let shown = Some(self.redactor.value(structure, &mut room));
            return What {
                result: shown,
                result_bytes: room.is_full.then(|| json_bytes(structure)),
                ..What::default()
            };
        }
        let part = |block: &ContentBlock| match block {
            ContentBlock::Text(text) => self.redactor.text_in(&text.text, &mut room),
            ContentBlock::Image(_) => json!("(an image)"),
            ContentBlock::Audio(_) => json!("(a sound)"),
            ContentBlock::ResourceLink(link) => self.redactor.text_in(&link.uri, &mut room),
            _ => json!("(a resource)"),
        };
        let shown = result.content.iter().take(PARTS).map(part).collect();
        let is_cut = room.is_full || result.content.len() > PARTS;
        What { result: Some(shown), result_bytes: is_cut.then(|| json_bytes(&result.content)), ..What::default() }
    }

    fn write(&self, line: &Line) {
        let mut text = match serde_json::to_string(line) {
            Ok(text) => text,
            Err(e) => format!("{{\"error\":\"a call could not be written down: {e}\"}}"),
        };
        text.push('\n');
        let written = self.file.as_ref().map(|file| file.lock().unwrap_or_else(PoisonError::into_inner).write(&text));
        let mut stderr = std::io::stderr().lock();
        match written {
            Some(Ok(())) => {}
            None => drop(stderr.write_all(text.as_bytes())),
            // The journal has it then.
            Some(Err(e)) => drop(write!(stderr, "cannot write the audit log: {e}\n{text}")),
        }
    }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
