//! Searching the text of files, with the parts that ripgrep is made of.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder, Sink, SinkMatch};

use crate::answer::Lines;
use crate::fault::Fault;
use crate::globs::Globs;
use crate::paths::path_text;
use crate::roots::Roots;
use crate::walk::{self, Kind, Seen, Step};

/// The most that is searched of one file.
const FILE_LIMIT: u64 = 256 * 1024 * 1024;
/// The longest line that is held; a file with a longer one is passed over from there on.
const LINE_LIMIT: usize = 1024 * 1024;
/// The most memory that a pattern may take.
const PATTERN_LIMIT: usize = 8 * 1024 * 1024;
/// The most that is shown of a line.
const SHOWN: usize = 500;

#[derive(Debug)]
pub struct Query {
    pub pattern: String,
    pub literal: bool,
    pub ignore_case: bool,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub max: usize,
}

pub fn search(roots: &Roots, path: &str, query: &Query, until: Instant) -> Result<String, Fault> {
    let matcher = matcher(query)?;
    let include = Globs::new(&query.include)?;
    let exclude = Globs::new(&query.exclude)?;
    let mut search =
        Search { matcher, searcher: searcher(), hits: Hits { lines: Lines::default(), left: query.max }, until };
    if roots.metadata(path)?.is_file() {
        let (file, _, located) = roots.open_file(path)?;
        let path = located.real(&file);
        let whole = search.file(file.into_std(), &path);
        return Ok(search.hits.finish(whole));
    }
    let (folder, located) = roots.open_folder(path)?;
    let start = located.real(&folder);
    let mut opened = true;
    let walked = walk::visit(&folder, until, |seen| {
        let Seen::Entry { below, kind, .. } = seen else { return Step::On };
        if exclude.match_any(below) {
            return Step::Over;
        }
        if kind != Kind::File || !(query.include.is_empty() || include.match_any(below)) {
            return Step::On;
        }
        let on = match walk::open_file(&folder, below) {
            Ok(file) => search.file(file, &start.join(below)),
            Err(e) => {
                opened &= walk::is_passed_over(&e);
                true
            }
        };
        if on { Step::On } else { Step::Stop }
    });
    let whole = walked.map_err(|e| Fault::io(path, &e))? && opened;
    Ok(search.hits.finish(whole))
}

fn matcher(query: &Query) -> Result<RegexMatcher, Fault> {
    let mut builder = RegexMatcherBuilder::new();
    builder.case_insensitive(query.ignore_case).line_terminator(Some(b'\n')).fixed_strings(query.literal);
    builder.size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT);
    builder.build(&query.pattern).map_err(|e| Fault::new(format!("pattern {}: {e}", query.pattern)))
}

fn searcher() -> Searcher {
    SearcherBuilder::new()
        .line_number(true)
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(LINE_LIMIT))
        // A file that is cut off while it is mapped kills the process.
        .memory_map(MmapChoice::never())
        .build()
}

struct Search {
    matcher: RegexMatcher,
    searcher: Searcher,
    hits: Hits,
    until: Instant,
}

impl Search {
    /// Says whether there is room and time for more.
    fn file(&mut self, file: File, path: &Path) -> bool {
        // The name was that of a regular file when the folder was read; what was opened counts.
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return true;
        }
        let path = path_text(path);
        let reader = Timed { file: file.take(FILE_LIMIT), until: self.until };
        let sink = InFile { path: &path, hits: &mut self.hits };
        // An error of reading, or a line that is too long, ends this file only.
        let _ = self.searcher.search_reader(&self.matcher, reader, sink);
        self.hits.left > 0 && Instant::now() <= self.until
    }
}

/// Reads until time is up.
struct Timed<R> {
    file: R,
    until: Instant,
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.file.read(buffer)
    }
}

struct Hits {
    lines: Lines,
    left: usize,
}

impl Hits {
    fn finish(self, whole: bool) -> String {
        if whole && self.lines.is_empty() { "No matches found".into() } else { self.lines.finish(whole) }
    }
}

struct InFile<'a> {
    path: &'a str,
    hits: &'a mut Hits,
}

impl Sink for InFile<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        let line = String::from_utf8_lossy(found.bytes());
        let line = line.trim_end_matches(['\n', '\r']);
        let mut text = format!("{}:{}:", self.path, found.line_number().unwrap_or_default());
        match line.char_indices().nth(SHOWN) {
            Some((end, _)) => {
                let _ = write!(text, "{}…", line.get(..end).unwrap_or_default());
            }
            None => text.push_str(line),
        }
        self.hits.left = if self.hits.lines.push(&[&text]) { self.hits.left - 1 } else { 0 };
        Ok(self.hits.left > 0)
    }
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
