//! Values that stand beside the name of a secret in a text: `NAME=VALUE`, `name: value`, `"name": "value"`, `--name value`,
//! `<name>value</name>`, and `"name": "NAME", "value": "VALUE"`.
//!
//! Which language a text is in is not known, so more goes rather than less: a value without quotes goes up to the end of its
//! line, together with the lines that belong to it.

use std::ops::Range;

use crate::secret::is_secret;

/// The most bytes that are looked at of a name.
const LONGEST: usize = 128;
/// What a value is called whose name is a value itself.
const VALUE: &str = "value";
/// What may stand between a name and the `:` or `=` after it.
const CLOSING: [char; 8] = [' ', '\t', '*', '`', ']', ')', '}', '>'];

/// `text` with `gone` in the place of each such value.
pub fn hide(text: &str, gone: &str) -> String {
    let (mut shown, mut at) = (String::new(), 0);
    while let Some(value) = next(text, at, gone) {
        shown.push_str(&text[at..value.start]);
        shown.push_str(gone);
        at = value.end;
    }
    shown.push_str(&text[at..]);
    shown
}

/// The next value that names itself a secret; one that is empty is none.
fn next(text: &str, from: usize, gone: &str) -> Option<Range<usize>> {
    let places = text[from..].char_indices().map(|(at, c)| (from + at, c));
    let mut values = places.filter_map(|(at, c)| match c {
        ':' | '=' if names_secret(&text[from..at], gone) => Some(beside(text, at)),
        '-' => flag(text, at),
        '>' => element(text, at),
        _ => None,
    });
    values.find(|value| !value.is_empty())
}

/// Whether the text before a `:` or `=` ends with the name of a secret, in quotes or not. A name that looked like a secret itself,
/// and is gone already, may have been one.
fn names_secret(before: &str, gone: &str) -> bool {
    let before = tail(before);
    if before.trim_end_matches([' ', '\t', '\\', '"', '\'']).ends_with(gone) {
        return true;
    }
    let before = before.trim_end_matches(CLOSING);
    // `name: NAME`, and then `value:`.
    let unquoted = before.trim_end_matches(['\\', '"', '\'']);
    if last_name(unquoted).eq_ignore_ascii_case(VALUE) {
        let named = unquoted[..unquoted.len() - VALUE.len()].trim_end_matches(|c| !is_name(c));
        return last_words(named);
    }
    if let Some(open) = before.strip_suffix(['"', '\'']) {
        return is_secret(open.rsplit(['"', '\'', '\n']).next().unwrap_or_default());
    }
    last_words(before)
}

/// Whether a text ends with the name of a secret; `API key` is one of two words.
fn last_words(text: &str) -> bool {
    let mut words = text.rsplitn(3, ' ').map(last_name);
    let (last, one_before) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    is_secret(last) || is_secret(&format!("{one_before}{last}"))
}

fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(LONGEST))..]
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn last_name(text: &str) -> &str {
    &text[text.trim_end_matches(is_name).len()..]
}

/// The value after the `:` or `=` at `sign`.
fn beside(text: &str, sign: usize) -> Range<usize> {
    let start = sign + 1 + blanks(&text[sign + 1..]);
    let quoted = quoted(&text[start..]);
    let after = start + quoted.unwrap_or_default();
    let is_over = quoted.is_some() && is_plain(&text[start..after]) && ends(&text[after..]);
    // A shell goes on with whatever stands there.
    start..if is_over { after } else { unquoted(text, sign, after) }
}

/// Whether it is clear where a value in quotes ends: a backslash before a single quote escapes it in some languages only.
fn is_plain(quoted: &str) -> bool {
    !(quoted.starts_with('\'') && quoted.contains(r"\'"))
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// The length of what stands in quotes, if anything does.
fn quoted(text: &str) -> Option<usize> {
    // In JSON in a text in JSON, quotes have backslashes before them, and those in a value more.
    let inside = text.trim_start_matches('\\');
    let depth = text.len() - inside.len();
    let quote = inside.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    if !(depth + 1).is_power_of_two() {
        return None;
    }
    let mut at = depth + 1;
    while let Some(found) = text[at..].find(quote) {
        let end = at + found + 1;
        let before = &text[depth + 1..end - 1];
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        // An escaped one has backslashes that are neither those of its depth nor escaped themselves.
        let (levels, rest) = ((backslashes + 1) / (depth + 1), (backslashes + 1) % (depth + 1));
        // A quote in quotes is doubled in YAML and SQL, and takes four characters in a shell.
        let more = match quote {
            '\'' if text[end..].starts_with(r"\''") => 3,
            _ if rest == 0 && levels % 2 == 0 => 0,
            _ if text[end..].starts_with(quote) => 1,
            _ => return Some(end),
        };
        at = end + more;
    }
    Some(text.len())
}

/// Whether a value in quotes is over where this follows.
fn ends(rest: &str) -> bool {
    let mut rest = rest.chars();
    match rest.next() {
        Some(',') => rest.next().is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '\\')),
        next => next.is_none_or(|c| c.is_whitespace() || matches!(c, ';' | ')' | ']' | '}' | '>')),
    }
}

/// The end of a value without quotes of which `from` is a part: that of its line, or of the last line that belongs to it.
fn unquoted(text: &str, sign: usize, from: usize) -> usize {
    let begin = text[..sign].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = indent(&text[begin..sign]);
    let mut end = line_end(text, from);
    // `name:`, and the value in the lines below.
    let below = text[sign..].starts_with(':') && text[from..end].trim().is_empty();
    let mut goes_on = below || is_continued(&text[from..end]);
    let mut at = end;
    while at < text.len() {
        let line = &text[at + 1..line_end(text, at + 1)];
        at += 1 + line.len();
        if line.trim().is_empty() {
            continue;
        }
        let deep = blanks(line);
        let item = below && deep == indent && line.trim_start().starts_with('-');
        if !goes_on && !item && deep <= indent {
            break;
        }
        end = at;
        goes_on = is_continued(line);
    }
    end
}

fn is_continued(line: &str) -> bool {
    line.trim_end().ends_with('\\')
}

fn line_end(text: &str, from: usize) -> usize {
    text[from..].find('\n').map_or(text.len(), |newline| from + newline)
}

/// How deep a line's first key stands; the dashes of lists count.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t', '-']).len()
}

/// The value of a flag `--name value` at `at`, or of the same in a list: `"--name", "value"`. `--name=value` has a sign.
fn flag(text: &str, at: usize) -> Option<Range<usize>> {
    let is_first = !text[..at].ends_with(|c: char| is_name(c));
    let name = text[at..].trim_start_matches('-');
    let rest = name.trim_start_matches(is_name);
    let dashes = text.len() - at - name.len();
    if !is_first || dashes > 2 || !is_secret(&name[..name.len() - rest.len()]) {
        return None;
    }
    let value = rest.trim_start_matches(['\\', '"', '\'']).trim_start_matches(',').trim_start();
    let (start, gap) = (text.len() - value.len(), rest.len() - value.len());
    let length = || match quoted(value).filter(|length| ends(&value[*length..])) {
        Some(length) if is_plain(&value[..length]) => length,
        length => word(value).max(length.unwrap_or_default()),
    };
    (gap > 0 && !value.starts_with([':', '='])).then(|| start..start + length())
}

/// What is in an XML element whose tag ends at `at`.
fn element(text: &str, at: usize) -> Option<Range<usize>> {
    const DATA: (&str, &str) = ("<![CDATA[", "]]>");
    let tag = tail(&text[..at]).rsplit_once('<')?.1;
    let name = &tag[..tag.find(char::is_whitespace).unwrap_or(tag.len())];
    if !name.starts_with(is_name) || tag.ends_with('/') || !is_secret(name) {
        return None;
    }
    let start = at + 1;
    // Only there may stand what looks like its end.
    let is_data = text[start..].trim_start().starts_with(DATA.0);
    let data = if is_data { text[start..].find(DATA.1).map_or(text.len(), |end| start + end) } else { start };
    let end = text[data..].find(&format!("</{name}")).map_or(text.len(), |end| data + end);
    Some(start..end)
}

/// Whether this is a flag whose value is the next word.
pub fn is_flag(text: &str) -> bool {
    let name = text.trim_start_matches('-');
    name.len() < text.len() && name.chars().all(is_name) && is_secret(name)
}

/// The length of a word as a shell has it: parts in quotes and without, up to a blank.
fn word(text: &str) -> usize {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('\''), '\'') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
#[path = "pairs_tests.rs"]
pub mod tests;
