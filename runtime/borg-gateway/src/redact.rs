//! What may be written down of what went through: no secrets, and not all of it.

use borg_mcp::json_size;
use regex::Regex;
use serde_json::{Map, Value};

use crate::count::json_bytes;
use crate::pairs;
use crate::secret::is_secret;

/// What stands where a secret was.
const GONE: &str = "[redacted]";
/// What stands where more was.
const MORE: &str = "…";
/// The most bytes of a text that are shown, as JSON has them.
const SHOWN: usize = 256;
/// How much of a text is looked at, so that a long one costs little.
const WINDOW: usize = 16 * 1024;
/// What is left off where the window ends: a secret cut in two may not look like one.
const EDGE: usize = 512;
/// How many values are shown, in how many levels.
const VALUES: usize = 100;
const DEPTH: usize = 8;
/// The longest text that can be the name of the `value` beside it.
const NAME: usize = 128;
/// What a value takes beside its text: quotes, a comma, brackets.
const AROUND: usize = 4;

/// How much may still be shown.
#[derive(Debug)]
pub struct Room {
    values: usize,
    bytes: usize,
    /// Whether it did not suffice.
    pub is_full: bool,
}

impl Room {
    /// For about so many bytes of JSON.
    pub fn new(bytes: usize) -> Self {
        Room { values: VALUES, bytes, is_full: false }
    }

    /// Says whether there is room for one more value.
    fn has_one(&mut self) -> bool {
        let has = self.values > 0 && self.bytes > 0;
        self.is_full |= !has;
        has
    }

    fn take(&mut self, bytes: usize) {
        self.values = self.values.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes + AROUND);
    }
}

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
        let whole = &seen[..seen.floor_char_boundary(seen.len().saturating_sub(edge))];
        let shown = beginning(whole, SHOWN);
        if shown.len() == seen.len() { seen } else { format!("{shown}{MORE} ({} bytes)", text.len()) }
    }

    /// The same as far as there is room.
    pub fn text_in(&self, text: &str, room: &mut Room) -> Value {
        if !room.has_one() {
            return MORE.into();
        }
        let shown = self.text(text);
        room.take(json_size(&shown));
        shown.into()
    }

    /// The same shape, with what may be shown of it.
    pub fn value(&self, value: &Value, room: &mut Room) -> Value {
        self.copy(value, DEPTH, room)
    }

    pub fn object(&self, map: &Map<String, Value>, room: &mut Room) -> Value {
        Value::Object(self.entries(map, DEPTH, room))
    }

    fn copy(&self, value: &Value, depth: usize, room: &mut Room) -> Value {
        match value {
            Value::String(text) => return self.text_in(text, room),
            Value::Array(_) | Value::Object(_) if depth == 0 => {
                room.is_full = true;
                return MORE.into();
            }
            Value::Array(_) | Value::Object(_) => room.take(0),
            other => room.take(json_bytes(other)),
        }
        match value {
            Value::Array(items) => Value::Array(self.items(items, depth, room)),
            Value::Object(map) => Value::Object(self.entries(map, depth, room)),
            other => other.clone(),
        }
    }

    fn items(&self, items: &[Value], depth: usize, room: &mut Room) -> Vec<Value> {
        let mut shown = Vec::new();
        let mut follows = false;
        for item in items {
            if !room.has_one() {
                shown.push(MORE.into());
                break;
            }
            shown.push(if follows { gone(room) } else { self.copy(item, depth - 1, room) });
            follows = item.as_str().is_some_and(pairs::is_flag);
        }
        shown
    }

    fn entries(&self, map: &Map<String, Value>, depth: usize, room: &mut Room) -> Map<String, Value> {
        let mut shown = Map::new();
        let names = |value: &Value| value.as_str().is_some_and(|text| text.len() <= NAME && is_secret(text));
        let is_named = map.values().any(names);
        for (key, value) in map {
            if !room.has_one() {
                shown.insert(MORE.into(), MORE.into());
                break;
            }
            let name = self.text(key);
            room.bytes = room.bytes.saturating_sub(json_size(&name) + AROUND);
            let is_secret = is_secret(key) || (is_named && key.eq_ignore_ascii_case("value"));
            let value = if is_secret { gone(room) } else { self.copy(value, depth - 1, room) };
            shown.insert(name, value);
        }
        shown
    }
}

fn gone(room: &mut Room) -> Value {
    room.take(GONE.len());
    GONE.into()
}

/// As much of a text as takes at most so many bytes in JSON.
fn beginning(text: &str, most: usize) -> &str {
    let mut size = 0;
    let end = text.char_indices().find(|(at, c)| {
        size += json_size(&text[*at..at + c.len_utf8()]);
        size > most
    });
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
