//! Text on standard output, and what of it a terminal is spared.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _, stdout};

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;

use crate::outcome::{Failure, Outcome};

/// Prints a text, with a newline at its end.
pub fn print(text: &str) -> Outcome {
    let mut out = stdout().lock();
    let shown = if out.is_terminal() { harmless(text) } else { text.into() };
    out.write_all(shown.as_bytes())?;
    if !shown.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

pub fn print_json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::Failed(e.to_string()))?;
    print(&text)
}

/// What a tool says may come from anywhere, and must not steer the terminal.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(steers) {
        return text.into();
    }
    let mut shown = String::new();
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown.into()
}

/// The parts of a result as text, one after the other.
pub fn text(result: &CallToolResult) -> String {
    let mut text = String::new();
    for block in &result.content {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&part(block));
    }
    match &result.structured_content {
        Some(value) if result.content.is_empty() => value.to_string(),
        _ => text,
    }
}

fn part(block: &ContentBlock) -> Cow<'_, str> {
    match block {
        ContentBlock::Text(text) => text.text.as_str().into(),
        ContentBlock::Image(image) => format!("({}; --json shows it)", image.mime_type).into(),
        ContentBlock::Audio(sound) => format!("({}; --json shows it)", sound.mime_type).into(),
        ContentBlock::ResourceLink(link) => link.uri.as_str().into(),
        _ => "(a resource; --json shows it)".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_terminal_is_not_steered() {
        assert_eq!(harmless("a\tb\nü"), "a\tb\nü");
        assert_eq!(harmless("\x1b[2Jx\r\u{9b}"), "\\u{1b}[2Jx\\u{d}\\u{9b}");
    }

    #[test]
    fn parts_come_one_after_the_other() {
        let parts =
            vec![ContentBlock::text("one\n"), ContentBlock::text("two"), ContentBlock::image("aGk=", "image/png")];
        assert_eq!(text(&CallToolResult::success(parts)), "one\ntwo\n(image/png; --json shows it)");
        let mut structured = CallToolResult::structured(json!({"n": 1}));
        assert_eq!(text(&structured), r#"{"n":1}"#);
        structured.content.clear();
        assert_eq!(text(&structured), r#"{"n":1}"#);
        assert_eq!(text(&CallToolResult::success(vec![])), "");
    }
}
