//! Bytes become lines: pure, so that it can be tested without a port.

use std::fmt::Write as _;

/// The most bytes of one line; a longer one goes on in the next.
pub const LIMIT: usize = 4096;

/// Splits a stream of bytes at line ends.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
    /// A carriage return ended the last line; a newline right after it belongs to it.
    after_return: bool,
}

impl Lines {
    /// Takes bytes in, gives the lines that they finish.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut done = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => done.push(self.take()),
                _ => {
                    self.pending.push(byte);
                    if self.pending.len() == LIMIT {
                        done.push(self.take());
                    }
                }
            }
        }
        done
    }

    /// What has come of a line that is not finished: a prompt, say.
    pub fn flush(&mut self) -> Option<String> {
        if self.pending.is_empty() { None } else { Some(self.take()) }
    }

    fn take(&mut self) -> String {
        text(&std::mem::take(&mut self.pending))
    }
}

/// Printable text: what is not UTF-8 and what could steer a terminal is escaped.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() && c != '\t' { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn what_is_not_text_is_escaped() {
        let mut lines = Lines::default();
        assert_eq!(lines.push("t\tä\u{1b}[2J\n".as_bytes()), ["t\tä\\u{1b}[2J"]);
        assert_eq!(lines.push(b"\xff\xfe\n"), ["\\xff\\xfe"]);
    }

    #[test]
    fn a_long_line_is_split() {
        let mut lines = Lines::default();
        let done = lines.push(&[b'x'; LIMIT * 2 + 1]);
        assert_eq!(done.iter().map(String::len).collect::<Vec<_>>(), [LIMIT, LIMIT]);
        assert_eq!(lines.push(b"\n"), ["x"]);
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_changes_nothing(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
        ) {
            let (mut whole, mut parts) = (Lines::default(), Lines::default());
            let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
            let mut pieces = parts.push(first);
            pieces.extend(parts.push(second));
            prop_assert_eq!(whole.push(&bytes), pieces.clone());
            prop_assert!(pieces.iter().all(|line| !line.contains(|c: char| c.is_control() && c != '\t')));
        }
    }
}
