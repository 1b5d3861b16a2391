//! Lines of bounded length, from somebody who may send anything.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// The most bytes of a line.
pub const LINE_LIMIT: usize = 5 * 1024 * 1024;
/// What is kept of a long line's memory.
const KEPT: usize = 64 * 1024;

pub struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(reader: R) -> Self {
        Lines { reader: BufReader::with_capacity(KEPT, reader), line: Vec::new() }
    }

    /// The next line without its end, or none at the end; a last line without a newline counts.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, String> {
        self.line.clear();
        self.line.shrink_to(KEPT);
        loop {
            let part = match self.reader.fill_buf().await {
                // It went without reading all that it was sent.
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => &[],
                other => other.map_err(|e| e.to_string())?,
            };
            if part.is_empty() {
                return Ok((!self.line.is_empty()).then_some(self.line.as_slice()));
            }
            let end = memchr::memchr(b'\n', part);
            let taken = end.unwrap_or(part.len());
            if self.line.len() + taken > LINE_LIMIT {
                return Err(format!("it sent a line of more than {} MiB", LINE_LIMIT / 1024 / 1024));
            }
            self.line.extend_from_slice(&part[..taken]);
            self.reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(&self.line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one_and_the_last_without_an_end() {
        let mut lines = Lines::new(&b"one\n\ntwo"[..]);
        assert_eq!(lines.next().await.unwrap(), Some(&b"one"[..]));
        assert_eq!(lines.next().await.unwrap(), Some(&b""[..]));
        assert_eq!(lines.next().await.unwrap(), Some(&b"two"[..]));
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_may_be_long_and_no_longer() {
        let mut text = vec![b'x'; LINE_LIMIT];
        text.push(b'\n');
        text.resize(2 * LINE_LIMIT + 100, b'x');
        let mut lines = Lines::new(text.as_slice());
        assert_eq!(lines.next().await.unwrap().map(<[u8]>::len), Some(LINE_LIMIT));
        assert_eq!(lines.next().await.unwrap_err(), "it sent a line of more than 5 MiB");
    }

    #[tokio::test]
    async fn an_endless_line_takes_no_more_memory_than_the_longest() {
        let mut lines = Lines::new(tokio::io::repeat(b'x'));
        assert!(lines.next().await.is_err());
        assert!(lines.line.capacity() <= 2 * LINE_LIMIT);
    }
}
