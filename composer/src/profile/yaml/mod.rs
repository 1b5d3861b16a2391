//! YAML to JSON values, with the byte range of every key and value.
//!
//! YAML 1.2's core schema: `no` is text, `0644` is a number. What a profile has no use for (tags, several documents,
//! keys that are no strings) is a fault rather than a surprise.

mod builder;
mod scalar;
mod spans;

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScanError};
use serde_json::Value;

use super::fault::Fault;
use builder::Builder;
use spans::Offsets;
pub use spans::{SpanMap, child};

/// What is wrong with the text as YAML.
pub type YamlFault = Fault;

/// A YAML document: its value, and where each part of it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub value: Value,
    pub spans: SpanMap,
}

/// Reads one document; all duplicate keys and unusable nodes are reported at once. With faults that concern single nodes
/// there is a document too, so that what else is wrong with it can be said.
pub fn read(text: &str) -> (Option<Document>, Vec<YamlFault>) {
    if let Some(at) = text.find('\0') {
        let fault = Fault::new("a NUL character, which no YAML has").at(at..at + 1, "here");
        return (None, vec![fault.help("remove it, and look whether the file is damaged")]);
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - body.len();
    let mut builder = Builder::new(text, Offsets::new(body, skipped));
    if let Some(line) = directive(body) {
        builder.refuse_directive(skipped + line.start..skipped + line.end);
    }
    let mut parser = Parser::new_from_str(body);
    while let Some(next) = parser.next_event() {
        let goes_on = match next {
            Ok((Event::StreamEnd, _)) => false,
            Ok((event, span)) => builder.accept(event, span),
            Err(error) => builder.broken(|offsets| scan_fault(text, offsets, &error)),
        };
        if !goes_on {
            break;
        }
    }
    builder.finish()
}

/// Reads one document that has no fault.
pub fn parse(text: &str) -> Result<Document, Vec<YamlFault>> {
    let (document, faults) = read(text);
    document.filter(|_| faults.is_empty()).ok_or(faults)
}

/// The first directive, but the one that names YAML 1.2. They stand before everything else.
fn directive(body: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for line in body.split_inclusive('\n') {
        let text = line.trim_end();
        if text.starts_with('%') && text != "%YAML 1.2" {
            return Some(start..start + text.len());
        }
        if !(text.is_empty() || text.starts_with(['%', '#'])) {
            return None;
        }
        start += line.len();
    }
    None
}

fn scan_fault(text: &str, offsets: &Offsets, error: &ScanError) -> Fault {
    let at = offsets.byte(error.marker().index());
    if error.info().contains("recursion limit") {
        return Fault::new("nested too deeply").at(at..at + 1, "here");
    }
    let fault = Fault::new(format!("not YAML: {}", error.info().trim())).at(at..at + 1, "here");
    let line = text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or("");
    if line.contains('\t') || text.get(at..).is_some_and(|rest| rest.starts_with('\t')) {
        return fault.help("indent with spaces; YAML does not allow tabs");
    }
    match error.info() {
        info if info.contains("mapping values are not allowed") => {
            fault.help("put text that holds `: ` in quotes, or check the indentation")
        }
        info if info.contains("unknown anchor") => fault
            .help("`*name` repeats what `&name` stands before, further up; put text that begins with `*` in quotes"),
        _ => fault,
    }
}

#[cfg(test)]
mod tests;
