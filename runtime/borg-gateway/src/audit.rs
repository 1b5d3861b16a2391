//! The audit log: who called what, with which arguments, and what came of it. A line of JSON a call, without secrets.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use borg_config::LineFiles;
use borg_logfile::LogFile;
use borg_mcp::{Caller, Failure};
use jiff::Timestamp;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde::Serialize;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::names::Source;
use crate::redact::Redactor;

/// Its name in its folder.
const FILE: &str = "audit.log";
/// The group that the service runs as may read it.
const MODE: u32 = 0o640;
/// The most parts of a result that are written down.
const PARTS: usize = 8;

#[derive(Debug, Clone)]
pub struct Audit {
    redactor: Arc<Redactor>,
    /// Standard error without.
    file: Option<Arc<Mutex<LogFile>>>,
}

/// A call that has begun.
#[derive(Debug)]
pub struct Call {
    time: Timestamp,
    begun: Instant,
    caller: Caller,
    tool: String,
    arguments: Value,
}

/// A call that is over, as it is written.
#[derive(Serialize)]
struct Line {
    time: Timestamp,
    caller: Caller,
    tool: String,
    source: Option<Source>,
    arguments: Value,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    milliseconds: u128,
}

impl Audit {
    /// A log that cannot be written keeps the gateway from starting.
    pub fn new(files: Option<&LineFiles>) -> Result<Self, Failure> {
        let open = |files: &LineFiles| {
            let path = files.folder.join(FILE);
            let mut file = LogFile::new(&path, files.max_size, files.keep).with_mode(MODE);
            file.open().map_err(|e| format!("cannot write the audit log {}: {e}", path.display()))?;
            Ok::<_, String>(Arc::new(Mutex::new(file)))
        };
        Ok(Audit { redactor: Arc::new(Redactor::new()?), file: files.map(open).transpose()? })
    }

    pub fn begin(&self, caller: Caller, tool: &str, arguments: Option<&JsonObject>) -> Call {
        let arguments = arguments.map_or(Value::Null, |arguments| self.redactor.object(arguments));
        let tool = self.redactor.text(tool);
        Call { time: Timestamp::now(), begun: Instant::now(), caller, tool, arguments }
    }

    /// Writes the line. Whoever waits for this before he answers gives no answer without one.
    pub async fn end(&self, call: Call, source: Option<&Source>, outcome: &Result<CallToolResult, Fault>) {
        let (error, result) = self.outcome(outcome);
        let Call { time, begun, caller, tool, arguments } = call;
        let (ok, milliseconds) = (error.is_none(), begun.elapsed().as_millis());
        let line = Line { time, caller, tool, source: source.cloned(), arguments, ok, error, result, milliseconds };
        let file = self.file.clone();
        // It fails when the program ends.
        let _ = tokio::task::spawn_blocking(move || write(file.as_deref(), &line)).await;
    }

    fn outcome(&self, outcome: &Result<CallToolResult, Fault>) -> (Option<String>, Option<Value>) {
        match outcome {
            Err(fault) => (Some(self.redactor.text(&fault.to_string())), None),
            Ok(result) if result.is_error == Some(true) => {
                let text = result.content.iter().find_map(ContentBlock::as_text);
                (Some(text.map_or_else(|| "an error".into(), |text| self.redactor.text(&text.text))), None)
            }
            Ok(result) => (None, Some(self.result(result))),
        }
    }

    fn result(&self, result: &CallToolResult) -> Value {
        if result.content.is_empty() {
            return result.structured_content.as_ref().map_or(Value::Null, |value| self.redactor.value(value));
        }
        let part = |block: &ContentBlock| match block {
            ContentBlock::Text(text) => Value::String(self.redactor.text(&text.text)),
            ContentBlock::Image(_) => json!("(an image)"),
            ContentBlock::Audio(_) => json!("(a sound)"),
            ContentBlock::ResourceLink(link) => json!(self.redactor.text(&link.uri)),
            _ => json!("(a resource)"),
        };
        result.content.iter().take(PARTS).map(part).collect()
    }
}

fn write(file: Option<&Mutex<LogFile>>, line: &Line) {
    let mut text = match serde_json::to_string(line) {
        Ok(text) => text,
        Err(e) => format!("{{\"error\":\"a call could not be written down: {e}\"}}"),
    };
    text.push('\n');
    let written = file.map(|file| file.lock().unwrap_or_else(PoisonError::into_inner).write(&text));
    let mut stderr = std::io::stderr().lock();
    match written {
        Some(Ok(())) => {}
        None => drop(stderr.write_all(text.as_bytes())),
        // The journal has it then.
        Some(Err(e)) => drop(write!(stderr, "cannot write the audit log: {e}\n{text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(folder: &std::path::Path) -> Audit {
        Audit::new(Some(&LineFiles { folder: folder.to_owned(), max_size: 1_000_000, keep: 1 })).unwrap()
    }

    async fn line(arguments: Value, outcome: Result<CallToolResult, Fault>) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let audit = audit(folder.path());
        let call = audit.begin(Caller::Token, "write\nfile", arguments.as_object());
        audit.end(call, Some(&Source::Plugin("p".into())), &outcome).await;
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[tokio::test]
    async fn a_call_is_one_line() {
        let result = CallToolResult::success(vec![ContentBlock::text("done\n{\"ok\":false}")]);
        let line = line(json!({"text": "a\n{}", "password": "hunter2"}), Ok(result)).await;
        assert_eq!(line["caller"], json!({"by": "token"}));
        assert_eq!((&line["tool"], &line["source"]), (&json!("write\nfile"), &json!("plugin p")));
        assert_eq!(line["arguments"], json!({"text": "a\n{}", "password": "[redacted]"}));
        assert_eq!((&line["ok"], &line["result"]), (&json!(true), &json!(["done\n{\"ok\":false}"])));
        assert!(line["milliseconds"].is_u64() && line.get("error").is_none(), "{line}");
        line["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }

    #[tokio::test]
    async fn a_fault_is_told_without_its_secrets() {
        for outcome in [
            Err(Fault::Source("Bearer abcdefgh0123 is wrong".into())),
            Ok(borg_mcp::fault("Bearer abcdefgh0123 is wrong")),
        ] {
            let line = line(Value::Null, outcome).await;
            assert_eq!((&line["ok"], &line["error"]), (&json!(false), &json!("Bearer [redacted] is wrong")));
            assert!(line.get("result").is_none() && line["arguments"].is_null(), "{line}");
        }
    }

    #[tokio::test]
    async fn without_text_the_structure_is_kept() {
        let mut result = CallToolResult::structured(json!({"n": 1, "token": "x"}));
        result.content.clear();
        assert_eq!(line(json!({}), Ok(result)).await["result"], json!({"n": 1, "token": "[redacted]"}));
    }

    #[test]
    fn a_log_that_cannot_be_written_is_named() {
        let files = LineFiles { folder: "/none".into(), max_size: 1, keep: 1 };
        let fault = Audit::new(Some(&files)).unwrap_err().to_string();
        assert!(fault.starts_with("cannot write the audit log /none/audit.log: No such file"), "{fault}");
    }
}
