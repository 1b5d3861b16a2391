//! What a tool answers, and how large an answer may be.

use borg_mcp::{Slot, json_size};
use serde_json::{Value, json};

use crate::fault::Fault;

/// The most that an answer's text may take once it is JSON. Every answer exists twice in its message, as content and as
/// structured content.
pub const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// A text longer than this is written by way of the request's slot.
const LARGE: usize = 64 * 1024;
/// The most that is read of one file, or written to it, at once.
pub const FILE_LIMIT: u64 = 4 * 1024 * 1024;

#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Text, and `{"content": text}` for machines.
    Text(String),
    /// One content block that is no text, and the same for machines.
    Media(Value),
    /// Text, and what else machines get.
    Rich(String, Value),
}

impl Answer {
    /// A text that is not too large to be sent.
    pub fn text(text: String) -> Result<Self, Fault> {
        // Most are so short that they need not be counted.
        let size = if text.len() > ANSWER_LIMIT / 6 { json_size(&text) } else { 0 };
        if size > ANSWER_LIMIT { Err(too_large(size)) } else { Ok(Answer::Text(text)) }
    }

    /// The same with a long text left in the request's slot, so that it is neither copied nor escaped twice.
    pub fn by_way_of(self, slot: Option<&Slot>) -> Self {
        match (self, slot) {
            (Answer::Text(text), Some(slot)) if text.len() > LARGE => Answer::Text(slot.keep(text)),
            (answer, _) => answer,
        }
    }

    /// The content block, and the structured content.
    pub fn parts(self) -> (Value, Value) {
        match self {
            Answer::Text(text) => (text_block(text.clone()), object([("content", text.into())])),
            Answer::Media(block) => (block.clone(), json!({"content": [block]})),
            Answer::Rich(text, structured) => (text_block(text), structured),
        }
    }
}

fn text_block(text: String) -> Value {
    object([("type", "text".into()), ("text", text.into())])
}

/// Unlike `json!`, moves what it is given: a text may be large.
fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub fn too_large(size: usize) -> Fault {
    Fault::new(format!(
        "the answer would take {size} bytes or more, and {ANSWER_LIMIT} is the most: ask for a smaller part"
    ))
}

/// Lines gathered up to the limit.
#[derive(Debug, Default)]
pub struct Lines {
    text: String,
    cut: bool,
}

impl Lines {
    /// With room for so many bytes, so that they need not be moved.
    pub fn with_room(bytes: usize) -> Self {
        Lines { text: String::with_capacity(bytes.min(ANSWER_LIMIT / 2)), cut: false }
    }

    /// Adds a line, given in parts, or says that there is no more room.
    pub fn push(&mut self, parts: &[&str]) -> bool {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.text.len() + length > ANSWER_LIMIT / 2 {
            self.cut = true;
            return false;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.extend(parts.iter().copied());
        true
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The lines, with a last one that says so if they are not all.
    pub fn finish(mut self, whole: bool) -> String {
        if self.cut || !whole {
            self.text.push_str("\n… cut short: there are more");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_too_large_is_a_fault() {
        let nul = "\0".repeat(ANSWER_LIMIT / 6 + 1);
        assert!(Answer::text(nul).unwrap_err().to_string().contains("smaller part"));
    }
}
