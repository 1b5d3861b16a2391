//! The newest lines of all ports in memory, by number, for whoever asks later or waits for the next.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

/// The most bytes of lines that are kept.
const LIMIT: usize = 8 * 1024 * 1024;
/// What a line takes beside its text and its port's name.
const OVERHEAD: usize = 96;

/// A line that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Counts up by one over all ports. It begins with the time at which this program started, so that cursors of an
    /// earlier run are known as such.
    pub cursor: u64,
    /// By the clock on the wall, which may be set meanwhile.
    pub at: Timestamp,
    /// Seconds since the machine started, which always grow.
    #[serde(serialize_with = "seconds")]
    pub uptime: Duration,
    pub port: String,
    pub text: String,
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

impl Line {
    fn bytes(&self) -> usize {
        self.text.len() + self.port.len() + OVERHEAD
    }
}

/// Ports by their names.
pub type Ports = BTreeSet<String>;

/// The most bytes of lines in one answer.
const PAGE: usize = 1024 * 1024;

/// Lines from a cursor on.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub lines: Vec<Line>,
    /// Where to go on.
    pub cursor: u64,
    /// Lines of any port after the cursor that was asked for which are not kept any more.
    pub lost: u64,
}

#[derive(Debug)]
pub struct History {
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
    limit: usize,
    /// The cursor before the first line.
    base: u64,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    bytes: usize,
    newest: u64,
}

impl Default for History {
    fn default() -> Self {
        // Microseconds, which a number in JSON holds exactly.
        Self::new(LIMIT, u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default())
    }
}

impl History {
    pub fn new(limit: usize, base: u64) -> Self {
        let kept = Kept { newest: base, ..Kept::default() };
        History { kept: Mutex::new(kept), newest: watch::Sender::new(base), limit, base }
    }

    /// Numbers a line and keeps it.
    pub fn push(&self, at: Timestamp, uptime: Duration, port: &str, text: String) -> Line {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.newest += 1;
        let line = Line { cursor: kept.newest, at, uptime, port: port.to_owned(), text };
        kept.bytes += line.bytes();
        kept.lines.push_back(line.clone());
        while kept.bytes > self.limit
            && let Some(old) = kept.lines.pop_front()
        {
            kept.bytes -= old.bytes();
        }
        // In the lock, so that the numbers that others hear grow.
        self.newest.send_replace(kept.newest);
        line
    }

    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Hears of each new line's number, or of the newest of several.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// At most `max` lines after `cursor` for which `wanted` is true. A cursor of another run counts as the first of this one.
    pub fn since(&self, cursor: u64, max: usize, wanted: impl Fn(&Line) -> bool) -> Page {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let cursor = if (self.base..=kept.newest).contains(&cursor) { cursor } else { self.base };
        let first = kept.lines.front().map_or(kept.newest + 1, |line| line.cursor);
        let lost = first.saturating_sub(cursor + 1);
        let start = usize::try_from((cursor + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let (mut lines, mut bytes) = (Vec::new(), 0);
        let mut seen = cursor.max(first - 1);
        for line in kept.lines.iter().skip(start) {
            if lines.len() == max || bytes > PAGE {
                break;
            }
            seen = line.cursor;
            if wanted(line) {
                bytes += line.bytes();
                lines.push(line.clone());
            }
        }
        Page { lines, cursor: seen, lost }
    }

    /// The newest line's cursor, and which of the ports have lines after `cursor`; all of them, when some of those lines are not
    /// kept any more.
    pub fn ports_since<'a>(&self, cursor: u64, ports: &'a Ports) -> (u64, BTreeSet<&'a str>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = usize::try_from(kept.newest.saturating_sub(cursor)).unwrap_or(usize::MAX);
        if newer > kept.lines.len() {
            return (kept.newest, ports.iter().map(String::as_str).collect());
        }
        let mut found = BTreeSet::new();
        for line in kept.lines.iter().rev().take(newer) {
            if found.len() == ports.len() {
                break;
            }
            found.extend(ports.get(&line.port).map(String::as_str));
        }
        (kept.newest, found)
    }

    /// The newest `max` lines for which `wanted` is true, the oldest of them first. `wanted` may take its time: lines are looked
    /// at in pieces, and between those new ones come in. It ends the search by giving none.
    pub fn newest_of(&self, max: usize, wanted: impl Fn(&Line) -> Option<bool>) -> Page {
        let newest = self.newest();
        let (mut found, mut bytes, mut end) = (Vec::new(), 0, newest);
        loop {
            let piece = self.before(end);
            let Some(first) = piece.last().map(|line| line.cursor) else { break };
            for line in piece {
                let taken = wanted(&line);
                if taken.is_none() || found.len() == max || bytes > PAGE {
                    found.reverse();
                    return Page { lines: found, cursor: newest, lost: 0 };
                }
                if taken == Some(true) {
                    bytes += line.bytes();
                    found.push(line);
                }
            }
            end = first - 1;
        }
        found.reverse();
        Page { lines: found, cursor: newest, lost: 0 }
    }

    /// Some lines up to `end`, the newest first.
    fn before(&self, end: u64) -> Vec<Line> {
        const PIECE: usize = 256;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let later = usize::try_from(kept.newest.saturating_sub(end)).unwrap_or(usize::MAX);
        kept.lines.iter().rev().skip(later).take(PIECE).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(limit: usize, texts: &[&str]) -> History {
        let history = History::new(limit, 1000);
        for (second, text) in (0..).zip(texts) {
            history.push(Timestamp::UNIX_EPOCH, Duration::from_secs(second), "/dev/p", (*text).to_owned());
        }
        history
    }

    fn texts(page: &Page) -> Vec<&str> {
        page.lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn reading_goes_on_where_it_ended() {
        let history = filled(LIMIT, &["a", "b", "c"]);
        let page = history.since(0, 2, |_| true);
        assert_eq!((texts(&page), page.cursor, page.lost), (vec!["a", "b"], 1002, 0));
        let page = history.since(page.cursor, 2, |_| true);
        assert_eq!((texts(&page), page.cursor), (vec!["c"], 1003));
        assert_eq!(history.since(1003, 2, |_| true), Page { lines: vec![], cursor: 1003, lost: 0 });
        // Cursors of another run, behind and ahead: all of this one.
        for cursor in [7, 5000, u64::MAX] {
            assert_eq!(texts(&history.since(cursor, 9, |_| true)), ["a", "b", "c"]);
        }
    }

    #[test]
    fn what_does_not_fit_any_more_is_said_to_be_lost() {
        let history = filled(3 * (OVERHEAD + 7), &["a", "b", "c", "d", "e"]);
        let page = history.since(0, 9, |_| true);
        assert_eq!((texts(&page), page.cursor, page.lost), (vec!["c", "d", "e"], 1005, 2));
        assert_eq!(texts(&history.newest_of(2, |line| Some(line.text != "e"))), ["c", "d"]);
        // One line that is larger than all there is room for.
        let page = filled(10, &["a"]).since(0, 9, |_| true);
        assert_eq!((page.cursor, page.lost), (1001, 1));
    }

    #[test]
    fn who_has_new_lines_is_known() {
        let history = History::new(5 * (OVERHEAD + 7), 1000);
        let push = |port: &str| history.push(Timestamp::UNIX_EPOCH, Duration::ZERO, port, "x".into());
        for port in ["/dev/a", "/dev/b", "/dev/b"] {
            push(port);
        }
        let ports: Ports = ["/dev/a", "/dev/b", "/dev/c"].map(str::to_owned).into();
        let since = |cursor: u64| {
            let (newest, found) = history.ports_since(cursor, &ports);
            (newest, found.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(since(1000), (1003, vec!["/dev/a", "/dev/b"]));
        assert_eq!(since(1001), (1003, vec!["/dev/b"]));
        assert_eq!(since(1003), (1003, vec![]));
        for _ in 0..5 {
            push("/dev/z");
        }
        // Whose the lines were that are gone, nobody knows.
        assert_eq!(since(1001), (1008, vec!["/dev/a", "/dev/b", "/dev/c"]));
        assert_eq!(since(1003), (1008, vec![]));
    }

    #[test]
    fn a_search_looks_at_all_and_can_be_ended() {
        let texts_: Vec<String> = (0..1000).map(|number| format!("{number}")).collect();
        let history = filled(LIMIT, &texts_.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(texts(&history.newest_of(9, |line| Some(line.text.ends_with("99")))).len(), 9);
        assert_eq!(texts(&history.newest_of(20, |line| Some(line.text == "0"))), ["0"]);
        assert_eq!(texts(&history.newest_of(9, |line| (line.text != "990").then_some(line.text == "995"))), ["995"]);
    }

    #[test]
    fn an_answer_has_a_bound() {
        let text = "x".repeat(100_000);
        let history = filled(LIMIT, &[text.as_str(); 40]);
        assert!((10..13).contains(&history.since(0, 1000, |_| true).lines.len()));
        assert!((10..13).contains(&history.newest_of(1000, |_| Some(true)).lines.len()));
    }

    proptest! {
        #[test]
        fn pages_hold_each_kept_line_once(count in 0_usize..60, max in 1_usize..9, limit in 0_usize..8000) {
            let texts = vec!["text"; count];
            let history = filled(limit, &texts);
            let (mut cursor, mut seen, mut lost) = (0, 0, 0);
            loop {
                let page = history.since(cursor, max, |_| true);
                lost += page.lost;
                if page.lines.is_empty() {
                    prop_assert_eq!(page.cursor, 1000 + count as u64);
                    break;
                }
                seen += page.lines.len() as u64;
                cursor = page.cursor;
            }
            prop_assert_eq!(seen + lost, count as u64);
        }
    }
}
