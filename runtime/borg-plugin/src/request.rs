//! What a client says to `borg-plugin-host` in its first line, and what the host itself answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Name;

/// The most bytes of the first line, its line break included.
pub const MAX_REQUEST: usize = 1024 * 1024;

/// The code of the JSON-RPC error that the host answers with when it cannot start a plugin.
pub const FAILED: i64 = -32000;

/// The first line of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Start a plugin; what follows on the connection is MCP, one message a line.
    Run { name: Name },
    /// Say which tools a Python plugin would have; the answer is [`Checked`].
    Check {
        /// What its file is called: `hello.py`.
        name: String,
        source: String,
    },
}

/// The answer to a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checked {
    /// Each as MCP's `tools/list` has it.
    Tools(Vec<Value>),
    /// Why it would not run: most often Python's traceback.
    Error(String),
}

impl Request {
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|e| {
            format!("the first line is no request: {e}; write {{\"run\": {{\"name\": \"NAME\"}}}} or {{\"check\": …}}")
        })
    }

    /// As it is sent, with its line break.
    pub fn line(&self) -> String {
        line(&json!(self))
    }
}

impl Checked {
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|e| format!("the answer of the check cannot be read: {e}"))
    }

    /// As it is sent, with its line break.
    pub fn line(&self) -> String {
        line(&json!(self))
    }
}

/// The line that tells why a plugin was not started: a JSON-RPC error that answers no request.
pub fn failure(message: &str) -> String {
    line(&json!({ "jsonrpc": "2.0", "id": null, "error": { "code": FAILED, "message": message } }))
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Request, String> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn requests_are_read_as_they_are_written() {
        let run = Request::Run { name: "hello".parse().unwrap() };
        assert_eq!(run.line(), "{\"run\":{\"name\":\"hello\"}}\n");
        assert_eq!(parse(&run.line()).unwrap(), run);
        let check = Request::Check { name: "hello.py".into(), source: "a = \"ü\"\n".into() };
        assert_eq!(check.line(), "{\"check\":{\"name\":\"hello.py\",\"source\":\"a = \\\"ü\\\"\\n\"}}\n");
        assert_eq!(parse(&check.line()).unwrap(), check);
    }

    #[test]
    fn a_fault_is_named() {
        for (text, fault) in [
            (r#"{"run": {"name": "../x"}}"#, "\"../x\" cannot be a plugin's name"),
            (r#"{"run": {"name": "x", "as": "root"}}"#, "unknown field `as`"),
            (r#"{"stop": {}}"#, "unknown variant `stop`, expected `run` or `check`"),
            (r#"{"check": {"name": "x.py"}}"#, "missing field `source`"),
            (r#"{"run": {"name": "x"}} {}"#, "trailing characters"),
            ("", "EOF while parsing"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("the first line is no request: ") && error.contains(fault), "{text}: {error}");
        }
    }

    #[test]
    fn answers_are_one_line() {
        let error = Checked::Error("Traceback\n  x\n".into());
        assert_eq!(error.line(), "{\"error\":\"Traceback\\n  x\\n\"}\n");
        assert_eq!(Checked::parse(error.line().as_bytes()).unwrap(), error);
        let tools = Checked::Tools(vec![json!({"name": "hello"})]);
        assert_eq!(tools.line(), "{\"tools\":[{\"name\":\"hello\"}]}\n");
        assert_eq!(
            failure("no\nsuch"),
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"no\\nsuch\"}}\n"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_a_fault(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::parse(&text);
            let _ = Checked::parse(&text);
        }

        #[test]
        fn every_source_comes_back(source in any::<String>()) {
            let check = Request::Check { name: "x.py".into(), source };
            let line = check.line();
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(parse(&line).unwrap(), check);
        }
    }
}
