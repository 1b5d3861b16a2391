//! How long something is as JSON.

use std::io;

use serde::Serialize;

/// Bytes of `value` as JSON, of which nothing is kept.
pub fn json_bytes(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // What comes from JSON becomes JSON.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_many_bytes_as_are_written() {
        let value = serde_json::json!({"a": ["\n", 1.5], "ü": null});
        assert_eq!(super::json_bytes(&value), value.to_string().len());
    }
}
