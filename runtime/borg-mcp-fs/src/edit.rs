//! Editing a text by what it says, as the reference server does: exact text first, else whole lines without regard to
//! the space around them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use cap_std::fs::File;
use serde::Deserialize;
use similar::{ChangeTag, TextDiff};

use crate::fault::Fault;
use crate::paths::path_text;
use crate::read;
use crate::roots::Roots;
use crate::write;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    pub old_text: String,
    pub new_text: String,
}

/// Applies the edits in their order, all or none, and shows the difference.
pub fn file(roots: &Roots, path: &str, edits: &[Edit], dry: bool, until: Instant) -> Result<String, Fault> {
    if dry {
        let (file, metadata, located) = roots.open_file(path)?;
        let text = text(&file, path, metadata.len())?;
        return Ok(shown(&unix(&text), &apply(&unix(&text), edits)?, &path_text(&located.real(&file)), until));
    }
    let place = roots.place(path, true)?;
    let missing = || Fault::io(path, &std::io::ErrorKind::NotFound.into());
    let file = write::existing(&place, path)?.ok_or_else(missing)?;
    let size = file.metadata().map_err(|e| Fault::io(path, &e))?.len();
    let text = text(&file, path, size)?;
    let old = unix(&text);
    let new = apply(&old, edits)?;
    let shown = shown(&old, &new, &path_text(&place.full()), until);
    let bytes = if is_dos(&text) { new.replace('\n', "\r\n") } else { new };
    write::replace(&place, bytes.as_bytes(), Some(file), path, until)?;
    Ok(shown)
}

fn text(file: &File, path: &str, size: u64) -> Result<String, Fault> {
    let bytes = read::whole(file, path, size)?;
    String::from_utf8(bytes)
        .map_err(|_| Fault::new(format!("{path}: not UTF-8, and editing it would change its other bytes")))
}

fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Every line ends in `\r\n`; a file that mixes both ends in `\n` only, as with the reference server.
fn is_dos(text: &str) -> bool {
    text.contains("\r\n") && text.matches('\n').count() == text.matches("\r\n").count()
}

fn apply(text: &str, edits: &[Edit]) -> Result<String, Fault> {
    let mut text = text.to_owned();
    for edit in edits {
        let (old, new) = (unix(&edit.old_text), unix(&edit.new_text));
        text = if text.contains(&old) { text.replacen(&old, &new, 1) } else { by_lines(&text, &old, &new, edit)? };
        if text.len() as u64 > crate::answer::FILE_LIMIT {
            return Err(Fault::new("the edits make the file too large"));
        }
    }
    Ok(text)
}

fn by_lines(text: &str, old: &str, new: &str, edit: &Edit) -> Result<String, Fault> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let wanted: Vec<&str> = old.split('\n').collect();
    let same = |part: &[&str]| part.iter().zip(&wanted).all(|(line, wanted)| line.trim() == wanted.trim());
    let start = lines.windows(wanted.len()).position(same);
    let Some((start, first)) = start.and_then(|start| Some((start, *lines.get(start)?))) else {
        return Err(Fault::new(format!("Could not find exact match for edit:\n{}", edit.old_text)));
    };
    let indent = indent(first);
    let indented: Vec<String> = new
        .split('\n')
        .enumerate()
        .map(
            |(n, line)| {
                if n == 0 { format!("{indent}{}", line.trim_start()) } else { reindent(line, wanted.get(n), indent) }
            },
        )
        .collect();
    lines.splice(start..start + wanted.len(), indented.iter().map(String::as_str));
    Ok(lines.join("\n"))
}

/// A further line keeps how much deeper it is than the line that it replaces.
fn reindent(line: &str, old: Option<&&str>, base: &str) -> String {
    let (before, after) = (old.map_or("", |old| indent(old)), indent(line));
    if before.is_empty() || after.is_empty() {
        return line.to_owned();
    }
    let deeper = after.chars().count().saturating_sub(before.chars().count());
    format!("{base}{}{}", " ".repeat(deeper), line.trim_start())
}

fn indent(line: &str) -> &str {
    line.get(..line.len() - line.trim_start().len()).unwrap_or_default()
}

/// Computing the smallest difference of two large files can take long; a larger one will do.
const DIFF_TIME: Duration = Duration::from_secs(2);

/// The difference in a Markdown block, fenced by as many backticks as it needs.
fn shown(old: &str, new: &str, path: &str, until: Instant) -> String {
    let diff = unified(old, new, path, until);
    let mut fence = String::from("```");
    while diff.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}diff\n{diff}{fence}\n\n")
}

fn unified(old: &str, new: &str, path: &str, until: Instant) -> String {
    let deadline = until.min(Instant::now() + DIFF_TIME);
    let diff = TextDiff::configure().deadline(deadline).diff_lines(old, new);
    let line = "=".repeat(67);
    let mut text = format!("Index: {path}\n{line}\n--- {path}\toriginal\n+++ {path}\tmodified\n");
    for hunk in diff.grouped_ops(4) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let (old, new) = (first.old_range().start..last.old_range().end, first.new_range().start..last.new_range().end);
        // A side without lines counts from the line before.
        let start = |range: &std::ops::Range<usize>| range.start + usize::from(!range.is_empty());
        let _ = writeln!(text, "@@ -{},{} +{},{} @@", start(&old), old.len(), start(&new), new.len());
        for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            text.push(sign);
            text.push_str(change.value());
            if change.missing_newline() {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
