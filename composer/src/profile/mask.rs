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

/// What follows `…pass…:` on a line, and the lines below it that are indented deeper.
fn secret_lines(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut outer: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        if outer.is_some_and(|outer| indent > outer) {
            found.push(start + indent..start + line.len());
        } else {
            let value = secret_value(line);
            outer = value.map(|_| indent);
            found.extend(value.map(|at| start + at..start + line.len()));
        }
        start += line.len();
    }
    found
}

/// Where the value of a secret key starts in a line.
fn secret_value(line: &str) -> Option<usize> {
    let is_secret = |colon: &usize| {
        let key = line.get(..*colon).unwrap_or("").trim_end().rsplit([',', '{', '[', ' ', '\t', ':']).next();
        key.is_some_and(|key| is_secret_key(key.trim_matches(['"', '\''])))
    };
    let colon = line.match_indices(':').map(|(at, _)| at).find(is_secret)?;
    let rest = line.get(colon + 1..)?;
    Some(colon + 1 + rest.len() - rest.trim_start_matches([' ', '\t']).len())
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
    fn a_secret_below_its_key_is_one_too() {
        let shown = masked("- password_hash: |\n    hunter2\n  name: ann\n\"pass\" : hunter2\n", None);
        assert_eq!(shown, "- password_hash: *\n    *******\n  name: ann\n\"pass\" : *******\n");
    }

    #[test]
    fn terminal_escapes_are_not_obeyed() {
        assert_eq!(masked("a: \u{1b}[2J\u{9b}", None), "a: ?[2J??");
    }
}
