//! What goes over the line to a plugin, and what comes back.

use rmcp::ErrorData;
use rmcp::model::ProgressNotificationParam;
use serde::Deserialize;
use serde_json::{Value, json};

/// The most values of one message: each takes ten times the memory of its shortest text.
const MOST_VALUES: usize = 200_000;
/// How much is shown of what is no message.
const SHOWN: usize = 80;

/// What a plugin may send.
#[derive(Debug)]
pub enum Message {
    Answer {
        id: u64,
        answer: Result<Value, ErrorData>,
    },
    /// The host could not start it, or it cannot go on.
    End(String),
    Progress(ProgressNotificationParam),
    ToolsChanged,
    /// A request of its own, with the answer to it.
    Asked(String),
    /// What needs nothing done.
    Noise,
}

#[derive(Deserialize)]
struct Raw {
    id: Option<Value>,
    method: Option<String>,
    params: Option<Value>,
    result: Option<Value>,
    error: Option<ErrorData>,
}

/// Takes a line apart.
pub fn parse(line: &[u8]) -> Result<Message, String> {
    if line.trim_ascii().is_empty() {
        return Ok(Message::Noise);
    }
    if values(line) > MOST_VALUES {
        return Err(format!("it sent a message of more than {MOST_VALUES} values"));
    }
    let raw: Raw = serde_json::from_slice(line).map_err(|e| {
        let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).into_owned();
        format!("it sent a line that is no message of JSON-RPC ({e}): {shown:?}")
    })?;
    Ok(match raw {
        Raw { method: Some(method), id: Some(id), .. } => Message::Asked(reply(&method, id)),
        Raw { method: Some(method), params, .. } => note(&method, params),
        Raw { id: Some(id), result, error, .. } => answer(&id, result, error)?,
        Raw { id: None, error: Some(error), .. } => Message::End(error.message.into_owned()),
        Raw { .. } => return Err("it sent an object that is no message".into()),
    })
}

/// At least as many values as there are, so that the memory of a message is known before it is taken apart.
fn values(line: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

fn answer(id: &Value, result: Option<Value>, error: Option<ErrorData>) -> Result<Message, String> {
    let answer = match (result, error) {
        (_, Some(error)) => Err(error),
        (Some(result), None) => Ok(result),
        (None, None) => return Err("it sent an answer with neither result nor error".into()),
    };
    // An answer to what was never asked is noise.
    Ok(id.as_u64().map_or(Message::Noise, |id| Message::Answer { id, answer }))
}

fn note(method: &str, params: Option<Value>) -> Message {
    match method {
        "notifications/progress" => {
            params.and_then(|params| serde_json::from_value(params).ok()).map_or(Message::Noise, Message::Progress)
        }
        "notifications/tools/list_changed" => Message::ToolsChanged,
        _ => Message::Noise,
    }
}

/// What a plugin is answered that asks something itself.
fn reply(method: &str, id: Value) -> String {
    if method == "ping" {
        return json!({ "jsonrpc": "2.0", "id": id, "result": {} }).to_string();
    }
    let error = json!({ "code": -32601, "message": format!("the gateway has no {method}") });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

pub fn request(id: u64, method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

pub fn notification(method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> String {
        parse(line.as_bytes()).unwrap_err()
    }

    #[test]
    fn each_kind_is_known() {
        let parsed = |line: &str| parse(line.as_bytes()).unwrap();
        assert!(matches!(parsed(r#"{"id":3,"result":{}}"#), Message::Answer { id: 3, answer: Ok(_) }));
        let error = r#"{"jsonrpc":"2.0","id":4,"error":{"code":-32602,"message":"no"}}"#;
        assert!(matches!(parsed(error), Message::Answer { id: 4, answer: Err(e) } if e.message == "no"));
        let end = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no python"}}"#;
        assert!(matches!(parsed(end), Message::End(text) if text == "no python"));
        let progress = r#"{"method":"notifications/progress","params":{"progressToken":7,"progress":0.5}}"#;
        assert!(matches!(parsed(progress), Message::Progress(p) if p.progress > 0.4));
        assert!(matches!(parsed(r#"{"method":"notifications/tools/list_changed"}"#), Message::ToolsChanged));
        let ping = parsed(r#"{"id":"a","method":"ping"}"#);
        assert!(matches!(ping, Message::Asked(reply) if reply == r#"{"jsonrpc":"2.0","id":"a","result":{}}"#));
        let sampling = parsed(r#"{"id":1,"method":"sampling/createMessage","params":{}}"#);
        assert!(matches!(sampling, Message::Asked(reply) if reply.contains("-32601")));
        for noise in ["", " \r", r#"{"method":"notifications/message"}"#, r#"{"id":"x","result":1}"#] {
            assert!(matches!(parsed(noise), Message::Noise), "{noise}");
        }
    }

    #[test]
    fn what_is_no_message_is_shown() {
        assert!(fault("loading…\n").contains("no message of JSON-RPC"));
        assert!(fault("loading\x1b[2J").ends_with(r#""loading\u{1b}[2J""#));
        assert!(fault(&"[".repeat(1000)).contains("no message of JSON-RPC"));
        assert!(fault("{}").contains("no message"));
        assert!(fault(r#"{"id":1}"#).contains("neither result nor error"));
    }

    #[test]
    fn a_message_of_countless_values_is_refused_before_it_takes_their_memory() {
        let many = format!(r#"{{"id":1,"result":[{}1]}}"#, "{},".repeat(MOST_VALUES));
        assert!(fault(&many).contains("more than 200000 values"));
        // Commas in a text are none.
        let text = format!(r#"{{"id":1,"result":"{}\"{}"}}"#, ",".repeat(MOST_VALUES), ",[{".repeat(10));
        assert!(matches!(parse(text.as_bytes()).unwrap(), Message::Answer { .. }));
    }
}
