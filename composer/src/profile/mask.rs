//! What of a profile may be shown: never a password, never a byte that a terminal would obey.

use std::ops::Range;

use super::yaml::SpanMap;
use crate::plain::is_unseen;

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
        let line_end = c == '\n' || (c == '\r' && text[at..].starts_with("\r\n"));
        match c {
            '\t' => shown.push(c),
            // A byte order mark is nothing to be seen, and takes as much room as before.
            '\u{feff}' if at == 0 => shown.push_str("   "),
            _ if line_end => shown.push(c),
            _ if secret => (0..c.len_utf8()).for_each(|_| shown.push('*')),
            _ if is_unseen(c) => (0..c.len_utf8()).for_each(|_| shown.push('?')),
            _ => shown.push(c),
        }
    }
    shown
}

/// A text of one line without the credentials of its addresses.
pub fn without_credentials(text: &str) -> String {
    let mut shown = text.to_owned();
    for range in credentials(text) {
        let stars = "*".repeat(range.len());
        shown.replace_range(range, &stars);
    }
    shown
}

/// Words in a key that holds something secret.
const SECRET: [&str; 7] = ["pass", "pwd", "pw", "secret", "token", "hash", "credential"];
/// Words that are misspelt often enough.
const MISSPELT: [&str; 6] = ["password", "passwd", "passphrase", "secret", "token", "credential"];
/// Keys that end in `key` and hold a name, or what everybody may see.
const PUBLIC: [&str; 4] = ["key", "certificate_key", "public_key", "ssh_key"];

fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    if key.ends_with("_file") || PUBLIC.contains(&key.as_str()) {
        return false;
    }
    let secret = SECRET.iter().any(|word| if word.len() < 3 { key == *word } else { key.contains(word) });
    secret || key.ends_with("key") || key.split('_').any(is_misspelt)
}

/// Whether a part of a key is one of the words with a slip of the finger or two.
fn is_misspelt(part: &str) -> bool {
    let near = |word: &str| strsim::damerau_levenshtein(part, word) <= word.len() / 4;
    // Distance costs the product of both lengths, and no such word is that long.
    part.len() <= 16 && MISSPELT.into_iter().any(near)
}

fn secret_values(spans: &SpanMap) -> Vec<Range<usize>> {
    let secret = |pointer: &str| pointer.rsplit('/').next().is_some_and(is_secret_key);
    spans.values().filter(|(pointer, _)| secret(pointer)).map(|(_, range)| range.clone()).collect()
}

/// What follows `…pass…:` on a line, the lines below that belong to it, and private keys. The text may be no YAML, so
/// rather a line too much is starred than one too few.
fn secret_lines(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut open = Open::No;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let from = open.covers(line, indent).then_some(indent).or_else(|| begins(line));
        if let Some(from) = from {
            found.push(start + from..start + line.len());
        }
        open = open.after(line, indent);
        start += line.len();
    }
    found
}

/// Where on a line something secret begins.
fn begins(line: &str) -> Option<usize> {
    secret_value(line).or_else(|| line.find("PRIVATE KEY"))
}

/// What of the lines below still belongs to a secret.
#[derive(Clone, Copy)]
enum Open {
    No,
    /// All lines that are indented deeper, and blank ones.
    Deeper(usize),
    /// All lines down to the one with this quote.
    Quote(char),
    /// The next line too, unless it is a key of its own.
    Next(usize),
    /// All lines down to the one that ends the key.
    Key,
}

impl Open {
    fn covers(self, line: &str, indent: usize) -> bool {
        match self {
            Open::No => false,
            Open::Deeper(outer) => indent > outer || line.trim().is_empty(),
            Open::Next(outer) => indent > outer || line.trim().is_empty() || !line.contains(':'),
            Open::Quote(_) | Open::Key => true,
        }
    }

    fn after(self, line: &str, indent: usize) -> Open {
        match self {
            Open::Quote(quote) if !line.contains(quote) => self,
            Open::Key if !line.contains("-----END") => self,
            Open::Deeper(outer) if self.covers(line, indent) => Open::Deeper(outer),
            Open::Next(outer) if line.trim().is_empty() => Open::Next(outer),
            Open::Next(outer) if self.covers(line, indent) => Open::Deeper(outer),
            _ => Open::from(line, indent),
        }
    }

    fn from(line: &str, indent: usize) -> Open {
        if line.contains("PRIVATE KEY") && line.trim_end().ends_with("-----") {
            return Open::Key;
        }
        let Some(value) = secret_value(line).and_then(|at| line.get(at..)).map(str::trim) else { return Open::No };
        match value.chars().next() {
            None => Open::Next(indent),
            Some(quote @ ('"' | '\'')) if !value[1..].contains(quote) => Open::Quote(quote),
            Some(_) => Open::Deeper(indent),
        }
    }
}

/// Where the value of a secret key starts in a line.
fn secret_value(line: &str) -> Option<usize> {
    let is_secret = |colon: &usize| {
        let key = line.get(..*colon).unwrap_or("").trim_end().rsplit([',', '{', '[', ' ', '\t', ':']).next();
        key.is_some_and(|key| is_secret_key(key.trim_matches(['"', '\''])))
    };
    let Some(colon) = line.match_indices(':').map(|(at, _)| at).find(is_secret) else {
        // A forgotten colon: `password hunter2`.
        let (key, _) = line.trim_start_matches([' ', '-']).split_once(' ')?;
        let start = line.find(key)? + key.len();
        return (!line.contains(':') && is_secret_key(key)).then_some(start);
    };
    let rest = line.get(colon + 1..)?;
    Some(colon + 1 + rest.len() - rest.trim_start_matches([' ', '\t']).len())
}

/// The `user:password` of addresses, and what they ask with: `?token=…`. Addresses may lack a part, or have one that is
/// mistyped.
fn credentials(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for word in text.split(|c: char| c.is_whitespace() || "\"'".contains(c)) {
        let at = |range: Range<usize>| start + range.start..start + range.end;
        found.extend(login_of(word).map(at));
        found.extend(query_of(word).map(at));
        // What splits may take more than one byte.
        start +=
            word.len() + text.get(start + word.len()..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    found
}

/// What stands before the `@` of an address, if that is more than a name.
pub fn login_of(word: &str) -> Option<Range<usize>> {
    // A password may hold a `/`: everything up to the last `@` is taken for one.
    let end = word.rfind('@')?;
    let (before, opening) = (word.get(..end)?, ['[', '{', '(', ',']);
    let scheme =
        before.find(":/").map(|at| at + 1 + before[at + 1..].len() - before[at + 1..].trim_start_matches('/').len());
    let start =
        scheme.or_else(|| before.contains(':').then(|| before.len() - before.trim_start_matches(opening).len()))?;
    Some(start..end)
}

fn query_of(word: &str) -> Option<Range<usize>> {
    let start = word.find(['?', '#'])? + 1;
    let rest = word.get(start..)?.trim_end_matches([']', '}', ')', ',']);
    (word.contains("://") || rest.contains('=')).then(|| start..start + rest.len())
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
    fn what_is_no_yaml_tells_no_secret_either() {
        for text in [
            "password_hash: \"hunter2\n  nter2\"\n",
            "password_hash:\nhunter2\n",
            "password_hash: |\n  a\n\n  hunter2\n",
            "- password hunter2\n",
            "pw: hunter2\n",
            "hash: hunter2\n",
            "pasword: hunter2\n",
            "  - {name: a, passwrod : hunter2}\n",
            "db_sercet: hunter2\n",
            "api-key: hunter2\n",
            "mirrors: [\"http:/user:hunter2@h/\", user:hunter2@h, http://h/?token=hunter2, h/x?key=hunter2]\n",
            "- http://h/#token=hunter2\n",
            "mirrors: [\"http://user:p/hunter2@h/d\"]\n",
            "ssh_keys: [\"-----BEGIN OPENSSH PRIVATE KEY-----\\nhunter2\"]\n",
            "k: |\n  -----BEGIN PRIVATE KEY-----\n  hunter2\n  -----END PRIVATE KEY-----\nname: ann\n",
        ] {
            let shown = masked(text, None);
            assert!(!shown.contains("nter2") && shown.len() == text.len(), "{shown}");
        }
        assert!(masked("k: |\n  -----BEGIN PRIVATE KEY-----\n  -----END\nname: ann\n", None).ends_with("name: ann\n"));
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        let keys = "profile services suite hostname locale timezone keyboard layout network dns time packages users name \
                    groups shell ssh_keys sudo files path content source mode owner kernel cmdline firmware mirrors \
                    repositories uri components key certificate_key image tag label password_hash_file";
        for key in keys.split_whitespace() {
            assert!(!is_secret_key(key), "{key}");
        }
        for text in [
            "path: /etc/systemd/system/getty@.service",
            "ssh-ed25519 AAAA ann@desk",
            "- sk-ssh-ed25519@openssh.com AAAA",
            "device: /dev/ttyUSB?",
            "mirrors: [http://h/debian] # why?",
        ] {
            assert_eq!(masked(text, None), text);
        }
    }

    #[test]
    fn terminal_escapes_are_not_obeyed() {
        assert_eq!(masked("a: \u{1b}[2J\u{9b}\rb\r\n", None), "a: ?[2J???b\r\n");
        assert_eq!(masked("\u{202e}x\u{feff}", None), "???x???");
        assert_eq!(masked("\u{feff}a: b\n", None), "   a: b\n");
    }
}
