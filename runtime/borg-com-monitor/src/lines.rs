//! Bytes become lines: pure, so that it can be tested without a port.

use std::fmt::Write as _;

use borg_config::{Encoding, LineEnding};

/// The most bytes of one line; a longer one goes on in the next.
pub const LIMIT: usize = 4096;

/// Splits a stream of bytes at line ends.
#[derive(Debug, Default)]
pub struct Lines {
    ending: LineEnding,
    encoding: Encoding,
    pending: Vec<u8>,
    /// The last byte was a carriage return that may have a newline after it.
    after_return: bool,
}

impl Lines {
    pub fn new(ending: LineEnding, encoding: Encoding) -> Self {
        Lines { ending, encoding, ..Lines::default() }
    }

    /// Takes bytes in, gives the lines that they finish.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut done = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match (self.ending, byte) {
                // It belongs to the return that ended the line.
                (LineEnding::Any, b'\n') if after_return => {}
                (LineEnding::Any, b'\n' | b'\r') | (LineEnding::Lf, b'\n') | (LineEnding::Cr, b'\r') => {
                    done.push(self.take());
                }
                (LineEnding::Crlf, b'\n') if after_return => {
                    self.pending.pop();
                    done.push(self.take());
                }
                _ => self.keep(byte, &mut done),
            }
        }
        done
    }

    fn keep(&mut self, byte: u8, done: &mut Vec<String>) {
        self.pending.push(byte);
        // A return at the very end may be half of a line end, but only one.
        let half = self.ending == LineEnding::Crlf && byte == b'\r' && self.pending.len() == LIMIT;
        if self.pending.len() >= LIMIT && !half {
            done.push(self.take());
        }
    }

    /// What has come of a line that is not finished: a prompt, say. Half of its end waits for the other half.
    pub fn flush(&mut self) -> Option<String> {
        let half = self.ending == LineEnding::Crlf && self.after_return;
        if half && self.pending.len() == 1 {
            return None;
        }
        let half = half.then(|| self.pending.pop()).flatten();
        let text = if self.pending.is_empty() { None } else { Some(self.take()) };
        self.after_return |= half.is_some();
        self.pending.extend(half);
        text
    }

    /// All that is left, at the end.
    pub fn finish(&mut self) -> Option<String> {
        if self.pending.is_empty() { None } else { Some(self.take()) }
    }

    fn take(&mut self) -> String {
        self.after_return &= self.ending != LineEnding::Crlf;
        let bytes = std::mem::take(&mut self.pending);
        match self.encoding {
            Encoding::Utf8 => utf8(&bytes),
            Encoding::Latin1 => bytes.iter().fold(String::new(), |text, byte| shown(text, char::from(*byte))),
            Encoding::Hex => hex(&bytes),
        }
    }
}

/// Printable text: what is not UTF-8 and what could steer a terminal is escaped.
fn utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text = chunk.valid().chars().fold(text, shown);
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn shown(mut text: String, c: char) -> String {
    if c.is_control() && c != '\t' {
        text.extend(c.escape_default());
    } else {
        text.push(c);
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(ending: LineEnding) -> Lines {
        Lines::new(ending, Encoding::Utf8)
    }

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"a\nb\r\nc\rd"), ["a", "b", "c"]);
        assert_eq!(lines.push(b"e\r"), ["de"]);
        assert_eq!(lines.push(b"\n\nf"), [""]);
        assert_eq!(lines.flush().as_deref(), Some("f"));
        assert_eq!(lines.flush(), None);
    }

    #[test]
    fn a_port_may_have_one_line_end_only() {
        assert_eq!(lines(LineEnding::Lf).push(b"a\rb\nc"), ["a\\rb"]);
        assert_eq!(lines(LineEnding::Cr).push(b"a\nb\rc"), ["a\\nb"]);
        assert_eq!(lines(LineEnding::Crlf).push(b"a\nb\rc\r\nd"), ["a\\nb\\rc"]);
        let mut split = lines(LineEnding::Crlf);
        assert_eq!(split.push(b"a\r"), [""; 0]);
        assert_eq!(split.push(b"\nb\r\n"), ["a", "b"]);
        assert_eq!(split.push(b"\n\r\n"), ["\\n"]);
        // A silence between the halves of a line end.
        assert_eq!(split.push(b"c\r"), [""; 0]);
        assert_eq!((split.flush().as_deref(), split.flush()), (Some("c"), None));
        assert_eq!(split.push(b"\nd\r\n"), ["", "d"]);
        assert_eq!(split.push(b"\r"), [""; 0]);
        assert_eq!((split.flush(), split.finish().as_deref()), (None, Some("\\r")));
    }

    #[test]
    fn what_is_not_text_is_escaped() {
        let mut lines = Lines::default();
        assert_eq!(lines.push("t\tä\u{1b}[2J\n".as_bytes()), ["t\tä\\u{1b}[2J"]);
        assert_eq!(lines.push(b"\xff\xfe\n"), ["\\xff\\xfe"]);
    }

    #[test]
    fn bytes_may_mean_something_else() {
        assert_eq!(
            Lines::new(LineEnding::Any, Encoding::Latin1).push(b"stra\xdfe\x1b\x90\n"),
            ["straße\\u{1b}\\u{90}"]
        );
        assert_eq!(Lines::new(LineEnding::Lf, Encoding::Hex).push(b"\x00a\r\xff\n"), ["00 61 0d ff"]);
    }

    #[test]
    fn a_long_line_is_split() {
        let mut lines = Lines::default();
        let done = lines.push(&[b'x'; LIMIT * 2 + 1]);
        assert_eq!(done.iter().map(String::len).collect::<Vec<_>>(), [LIMIT, LIMIT]);
        assert_eq!(lines.push(b"\n"), ["x"]);
        let mut returns = Lines::new(LineEnding::Crlf, Encoding::Utf8);
        let done = returns.push(&[b'\r'; LIMIT * 3]);
        assert!(done.len() >= 2 && returns.pending.len() <= LIMIT, "{} and {}", done.len(), returns.pending.len());
    }

    fn any_ending() -> impl Strategy<Value = LineEnding> {
        prop::sample::select(vec![LineEnding::Any, LineEnding::Lf, LineEnding::Cr, LineEnding::Crlf])
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_changes_nothing(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n')], 0..300),
            at in any::<prop::sample::Index>(),
            ending in any_ending(),
        ) {
            let (mut whole, mut parts) = (lines(ending), lines(ending));
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            let mut pieces = parts.push(first);
            pieces.extend(parts.push(second));
            prop_assert_eq!(whole.push(&bytes), pieces.clone());
            prop_assert!(pieces.iter().all(|line| !line.contains(|c: char| c.is_control() && c != '\t')));
        }

        #[test]
        fn no_byte_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
            let mut lines = Lines::new(LineEnding::Lf, Encoding::Hex);
            let mut found: Vec<String> = lines.push(&bytes);
            found.extend(lines.finish());
            let digits: usize = found.iter().map(|line| line.split_whitespace().count()).sum();
            prop_assert_eq!(digits, bytes.iter().filter(|byte| **byte != b'\n').count());
        }
    }
}
