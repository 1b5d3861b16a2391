//! What may be written down of what went through: no secrets, and not all of it.

use regex::Regex;
use serde_json::{Map, Value};

use crate::pairs;
use crate::secret::is_secret;

/// What stands where a secret was.
const GONE: &str = "[redacted]";
/// What stands where more was.
const MORE: &str = "…";
/// The most bytes of a text that are shown.
const SHOWN: usize = 256;
/// How much of a text is looked at, so that a long one costs little.
const WINDOW: usize = 16 * 1024;
/// What is left off where the window ends: a secret cut in two may not look like one.
const EDGE: usize = 512;
/// How many values are shown, in how many levels.
const VALUES: usize = 100;
const DEPTH: usize = 8;

/// Secrets by their look, and what stands for them.
const LOOKS: [(&str, &str); 4] = [
    (r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)", GONE),
    (r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}", "$1 [redacted]"),
    (
        r"\b(?:(?:sk-|gh[pousr]_|github_pat_|glpat-|hf_|AIza|xox[a-z]-)[A-Za-z0-9_-]{12,}|AKIA[0-9A-Z]{12,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)",
        GONE,
    ),
    (r#"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s"'<>]+@"#, "${1}[redacted]@"),
];

#[derive(Debug)]
pub struct Redactor(Vec<(Regex, &'static str)>);

impl Redactor {
    pub fn new() -> Result<Self, regex::Error> {
        let looks = LOOKS.into_iter().map(|(look, with)| Ok((Regex::new(look)?, with)));
        looks.collect::<Result<_, _>>().map(Redactor)
    }

    /// The beginning of a text.
    pub fn text(&self, text: &str) -> String {
        let window = &text[..text.floor_char_boundary(WINDOW)];
        let mut seen = window.to_owned();
        for (look, with) in &self.0 {
            if let std::borrow::Cow::Owned(redacted) = look.replace_all(&seen, *with) {
                seen = redacted;
            }
        }
        // Last, when what is in a value has gone already.
        let seen = pairs::hide(&seen, GONE);
        let edge = if window.len() < text.len() { EDGE } else { 0 };
        let most = SHOWN.min(seen.len().saturating_sub(edge));
        if most == seen.len() {
            return seen;
        }
        format!("{}{MORE} ({} bytes)", &seen[..seen.floor_char_boundary(most)], text.len())
    }

    /// The same shape, with what may be shown of it.
    pub fn value(&self, value: &Value) -> Value {
        self.copy(value, DEPTH, &mut { VALUES })
    }

    pub fn object(&self, map: &Map<String, Value>) -> Value {
        Value::Object(self.entries(map, DEPTH, &mut { VALUES }))
    }

    fn copy(&self, value: &Value, depth: usize, left: &mut usize) -> Value {
        *left = left.saturating_sub(1);
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(_) | Value::Object(_) if depth == 0 => MORE.into(),
            Value::Array(items) => Value::Array(self.items(items, depth, left)),
            Value::Object(map) => Value::Object(self.entries(map, depth, left)),
            other => other.clone(),
        }
    }

    fn items(&self, items: &[Value], depth: usize, left: &mut usize) -> Vec<Value> {
        let mut shown = Vec::new();
        let mut follows = false;
        for item in items {
            if *left == 0 {
                shown.push(MORE.into());
                break;
            }
            shown.push(if follows { GONE.into() } else { self.copy(item, depth - 1, left) });
            follows = item.as_str().is_some_and(pairs::is_flag);
        }
        shown
    }

    fn entries(&self, map: &Map<String, Value>, depth: usize, left: &mut usize) -> Map<String, Value> {
        let mut shown = Map::new();
        for (key, value) in map {
            if *left == 0 {
                shown.insert(MORE.into(), MORE.into());
                break;
            }
            let value = if is_secret(key) { GONE.into() } else { self.copy(value, depth - 1, left) };
            shown.insert(self.text(key), value);
        }
        shown
    }
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
