//! Where things stand in the text.

use std::collections::BTreeMap;
use std::ops::Range;

/// Turns the parser's character indices into byte offsets.
#[derive(Debug)]
pub struct Offsets {
    /// The byte offset of each character; nothing for plain ASCII, where they are the same.
    table: Option<Vec<usize>>,
    /// Bytes before the text that the parser sees: a byte order mark.
    skipped: usize,
    length: usize,
}

impl Offsets {
    pub fn new(text: &str, skipped: usize) -> Self {
        let table = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Offsets { table, skipped, length: text.len() }
    }

    pub fn byte(&self, index: usize) -> usize {
        let at = match &self.table {
            Some(table) => table.get(index).copied().unwrap_or(self.length),
            None => index.min(self.length),
        };
        self.skipped + at
    }
}

/// From JSON pointer to the byte ranges of a value and, in a mapping, of its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanMap {
    values: BTreeMap<String, Range<usize>>,
    keys: BTreeMap<String, Range<usize>>,
}

impl SpanMap {
    pub(super) fn put_value(&mut self, pointer: &str, range: Range<usize>) {
        self.values.insert(pointer.to_owned(), range);
    }

    pub(super) fn put_key(&mut self, pointer: &str, range: Range<usize>) {
        self.keys.insert(pointer.to_owned(), range);
    }

    /// The value's range, or that of the nearest thing around it: an alias's content has no place of its own.
    pub fn value(&self, pointer: &str) -> Range<usize> {
        let mut pointer = pointer;
        loop {
            if let Some(range) = self.values.get(pointer) {
                return range.clone();
            }
            match pointer.rfind('/') {
                Some(at) => pointer = &pointer[..at],
                None => return 0..0,
            }
        }
    }

    /// The key's range; the value's where there is no key.
    pub fn key(&self, pointer: &str) -> Range<usize> {
        self.own_key(pointer).unwrap_or_else(|| self.value(pointer))
    }

    pub fn own_key(&self, pointer: &str) -> Option<Range<usize>> {
        self.keys.get(pointer).cloned()
    }

    /// Every value's pointer and range.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Range<usize>)> {
        self.values.iter().map(|(pointer, range)| (pointer.as_str(), range))
    }
}

/// A JSON pointer's next step, escaped as RFC 6901 wants it.
pub fn child(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}
