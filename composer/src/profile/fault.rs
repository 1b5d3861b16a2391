//! A fault in a YAML file: a sentence, the places it is about, and the way out.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::mask;
use super::yaml::SpanMap;
use crate::{Error, plain};

/// The longest line that is worth showing; beyond it the place is given as line and column.
const LONGEST_LINE: usize = 1000;

/// The most faults that are shown at once: each report reads the text up to its line again.
const MOST_SHOWN: usize = 100;

/// One thing that is wrong, with byte ranges into the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    pub labels: Vec<(Range<usize>, String)>,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Fault { message: message.into(), labels: Vec::new(), help: None }
    }

    /// Adds a place and what to say about it; the first one is where the fault is.
    #[must_use]
    pub fn at(mut self, range: Range<usize>, label: impl Into<String>) -> Self {
        self.labels.push((range, label.into()));
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Where the fault is: the first label's range.
    pub fn place(&self) -> Option<&Range<usize>> {
        self.labels.first().map(|(range, _)| range)
    }
}

/// A text to point into, with its secrets masked and its control characters made harmless.
#[derive(Debug, Clone)]
pub struct Shown {
    name: String,
    text: Arc<str>,
}

impl Shown {
    pub fn new(name: &str, text: &str, spans: Option<&SpanMap>) -> Self {
        Shown { name: plain::line(name), text: mask::masked(text, spans).into() }
    }

    /// The fault as a report that shows the lines it is about.
    pub fn report(&self, fault: &Fault) -> miette::Report {
        let labels = fault.labels.iter().map(|(range, text)| (self.clip(range), text.clone())).collect::<Vec<_>>();
        let mut message = fault.message.clone();
        let readable = labels.iter().all(|(range, _)| self.is_readable(range));
        if let (false, Some((range, _))) = (readable, labels.first()) {
            let (line, column) = self.position(range.start);
            message = format!("{message} ({} line {line}, column {column})", self.name);
        }
        // An empty text has no line to show.
        let source =
            (readable && !self.text.trim().is_empty()).then(|| NamedSource::new(&self.name, Arc::clone(&self.text)));
        SpanReport { message, help: fault.help.clone(), labels, source }.into()
    }

    /// All faults as one error, in the order of the text.
    pub fn error(&self, what: &str, mut faults: Vec<Fault>) -> Error {
        faults.sort_by_key(|fault| fault.place().map_or(0, |range| range.start));
        let count = match faults.len() {
            1 => "a fault".to_owned(),
            n if n > MOST_SHOWN => format!("{n} faults; the first {MOST_SHOWN} are shown"),
            n => format!("{n} faults"),
        };
        let reports = faults.iter().take(MOST_SHOWN).map(|fault| self.report(fault)).collect();
        Error::input(format!("the {what} {} has {count}", self.name)).reports(reports)
    }

    /// Keeps a label inside the text and on its first line, so that a whole section is not painted.
    fn clip(&self, range: &Range<usize>) -> Range<usize> {
        let last = self.text.len().saturating_sub(1);
        let start = floor(&self.text, range.start.min(last));
        let end = range.end.clamp(start, self.text.len());
        let line = self.text.get(start..end).and_then(|part| part.find('\n')).map_or(end, |at| start + at);
        start..floor(&self.text, line.max(start))
    }

    fn is_readable(&self, range: &Range<usize>) -> bool {
        let before = self.text.get(..range.start).unwrap_or("");
        let from = before.rmatch_indices('\n').nth(1).map_or(0, |(at, _)| at);
        self.text.get(from..).unwrap_or("").lines().take(4).all(|line| line.len() <= LONGEST_LINE)
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

#[derive(Debug)]
struct SpanReport {
    message: String,
    help: Option<String>,
    labels: Vec<(Range<usize>, String)>,
    source: Option<NamedSource<Arc<str>>>,
}

impl fmt::Display for SpanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SpanReport {}

impl Diagnostic for SpanReport {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        Some(Box::new(
            self.labels
                .iter()
                .map(|(range, text)| LabeledSpan::new(Some(text.clone()), range.start, range.end - range.start)),
        ))
    }
}
