//! QEMU's machine protocol: one JSON object a line over a Unix socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Error, Result};

/// QEMU answers at once unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a running machine.
#[derive(Debug)]
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects if the socket is there already.
    pub fn connect(path: &Path) -> Result<Option<Self>> {
        let Ok(stream) = UnixStream::connect(path) else { return Ok(None) };
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| lost().because(&e))?;
        let mut monitor = Monitor { stream: BufReader::new(stream) };
        monitor.line()?;
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(Some(monitor))
    }

    /// Runs one command and returns its answer; events in between are of no interest.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{request}").map_err(|e| lost().because(&e))?;
        loop {
            match answer(&self.line()?) {
                Some(Ok(value)) => return Ok(value),
                Some(Err(reason)) => return Err(Error::internal(format!("QEMU refuses {command}")).detail(reason)),
                None => {}
            }
        }
    }

    /// The run state: `running`, `internal-error`, `shutdown`.
    pub fn status(&mut self) -> Result<String> {
        let answer = self.execute("query-status", &json!({}))?;
        Ok(answer.get("status").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// What the human monitor's command prints.
    pub fn human(&mut self, line: &str) -> Result<String> {
        let answer = self.execute("human-monitor-command", &json!({ "command-line": line }))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Ends the machine at once. It may be gone before it answers.
    pub fn quit(&mut self) {
        let _ = self.execute("quit", &json!({}));
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Err(lost()),
            Ok(_) => Ok(line),
            Err(e) => Err(lost().because(&e)),
        }
    }
}

fn lost() -> Error {
    Error::internal("lost the connection to QEMU")
}

/// The answer in a line; none for a greeting or an event.
fn answer(line: &str) -> Option<Result<Value, String>> {
    let mut value: Value = serde_json::from_str(line).ok()?;
    if let Some(error) = value.get("error") {
        let reason = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
        return Some(Err(reason.to_owned()));
    }
    value.get_mut("return").map(|v| Ok(v.take()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_events() {
        assert_eq!(answer(r#"{"timestamp":{"seconds":1},"event":"STOP"}"#), None);
        assert_eq!(answer(r#"{"QMP":{"version":{}}}"#), None);
        assert_eq!(answer(r#"{"return":{"status":"running"}}"#), Some(Ok(json!({"status":"running"}))));
        assert_eq!(
            answer(r#"{"error":{"class":"GenericError","desc":"no such device"}}"#),
            Some(Err("no such device".into()))
        );
        assert_eq!(answer("junk"), None);
    }
}
