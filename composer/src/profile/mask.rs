//! What of a profile may be shown: never a password, never a byte that a terminal would obey.

use std::ops::Range;

use super::yaml::SpanMap;

/// The text with secrets starred and control characters replaced; every byte offset stays what it was.
pub fn masked(text: &str, spans: Option<&SpanMap>) -> String {
    let mut secrets: Vec<Range<usize>> = spans.map(secret_values).unwrap_or_default();
    // The textual rules hold when the text is no YAML, and for keys that nobody knows.
    secrets.extend(secret_lines(text));
    secrets.extend(credentials(text));
    secrets.sort_by_key(|range| range.start);
    let mut shown = String::with_capacity(text.len());
    let mut next = secrets.into_iter().peekable();
    for (at, c) in text.char_indices() {
        while next.next_if(|range| range.end <= at).is_some() {}
        let secret = next.peek().is_some_and(|range| range.contains(&at));
        match c {
            '\n' | '\r' | '\t' => shown.push(c),
            _ if secret => (0..c.len_utf8()).for_each(|_| shown.push('*')),
            _ if c.is_control() => (0..c.len_utf8()).for_each(|_| shown.push('?')),
            _ => shown.push(c),
        }
    }
    shown
}

fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let secret = ["pass", "pwd", "secret", "token"].iter().any(|word| key.contains(word));
    secret && !key.ends_with("_file")
}

fn secret_values(spans: &SpanMap) -> Vec<Range<usize>> {
    let secret = |pointer: &str| pointer.rsplit('/').next().is_some_and(is_secret_key);
    spans.values().filter(|(pointer, _)| secret(pointer)).map(|(_, range)| range.clone()).collect()
}

/// What follows `…pass…:` on a line.
fn secret_lines(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut from = 0;
        while let Some(colon) = line.get(from..).and_then(|rest| rest.find(':')).map(|at| from + at) {
            let key = line[..colon].rsplit([',', '{', '[', ' ', '\t', ':']).find(|part| !part.is_empty());
            if key.is_some_and(|key| is_secret_key(key.trim_matches(['"', '\'']))) {
                found.push(start + colon + 1..start + line.len());
                break;
            }
            from = colon + 1;
        }
        start += line.len();
    }
    found
}

/// The `user:password` of addresses.
fn credentials(text: &str) -> Vec<Range<usize>> {
    text.match_indices("://")
        .filter_map(|(at, mark)| {
            let start = at + mark.len();
            let rest = text.get(start..)?;
            let end = rest.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(rest.len());
            let at = rest.get(..end)?.rfind('@')?;
            Some(start..start + at)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_keep_their_length_and_lose_their_text() {
        let text = "users:\n  - {name: a, password: hünter2}\nmirrors: [http://me:pw@host/x]\n";
        let shown = masked(text, None);
        assert_eq!(shown.len(), text.len());
        assert!(!shown.contains("nter2") && !shown.contains("pw@"));
        assert!(shown.contains("@host/x"));
    }

    #[test]
    fn terminal_escapes_are_not_obeyed() {
        assert_eq!(masked("a: \u{1b}[2J\u{9b}", None), "a: ?[2J??");
    }
}
