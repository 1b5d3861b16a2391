//! The Release file: what suite this is, how fresh, and the hashes of its indices.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::Distrust;
use crate::Digest;
use crate::archive::control::paragraphs;

/// How far a clock may be behind the archive's, in seconds.
pub const SKEW: u64 = 3600;

/// A signed Release file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub suite: String,
    pub codename: String,
    /// Seconds since 1970.
    pub date: u64,
    pub valid_until: Option<u64>,
    pub by_hash: bool,
    /// SHA-256 and size by path below `dists/<suite>/`.
    files: HashMap<String, (Digest, u64)>,
}

/// What a Release file must be to be believed.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub suite: &'a str,
    /// Seconds since 1970.
    pub now: u64,
    /// The newest Date seen for this suite.
    pub newest: Option<u64>,
}

impl Release {
    /// Parses a Release file; `None` if it lacks what every archive has.
    pub fn parse(text: &str) -> Option<Self> {
        let paragraph = paragraphs(text).into_iter().next()?;
        let field = |name: &str| paragraph.get(name).unwrap_or_default().to_owned();
        Some(Release {
            suite: field("Suite"),
            codename: field("Codename"),
            date: seconds(paragraph.get("Date")?)?,
            // A date that cannot be read must not count as no limit.
            valid_until: paragraph.get("Valid-Until").map(|date| seconds(date).unwrap_or(0)),
            by_hash: paragraph.get("Acquire-By-Hash") == Some("yes"),
            files: paragraph.get("SHA256")?.lines().filter_map(file).collect(),
        })
    }

    /// Refuses another suite's file, one that is too old, and one from the future.
    pub fn check(&self, asked: Asked<'_>) -> Result<(), Distrust> {
        let suite = asked.suite.trim_end_matches('/');
        if self.suite != suite && self.codename != suite {
            let is = if self.codename.is_empty() { &self.suite } else { &self.codename };
            return Err(format!("serves the index of `{is}` as that of `{suite}`"));
        }
        if self.date > asked.now.saturating_add(SKEW) {
            let (date, now) = (day(self.date), day(asked.now));
            return Err(format!("serves an index of {suite} from the future, {date}, while the clock says {now}"));
        }
        if let Some(until) = self.valid_until.filter(|until| *until <= asked.now) {
            return Err(format!("serves an index of {suite} that expired at {}", day(until)));
        }
        if let Some(newest) = asked.newest.filter(|newest| self.date < *newest) {
            let (date, newest) = (day(self.date), day(newest));
            return Err(format!("serves an index of {suite} of {date}, older than one seen before, of {newest}"));
        }
        Ok(())
    }

    pub fn file(&self, path: &str) -> Option<(Digest, u64)> {
        self.files.get(path).copied()
    }
}

/// `<sha256> <size> <path>`.
fn file(line: &str) -> Option<(String, (Digest, u64))> {
    let mut words = line.split_ascii_whitespace();
    let (digest, size, path) = (words.next()?, words.next()?, words.next()?);
    Some((path.to_owned(), (digest.parse().ok()?, size.parse().ok()?)))
}

/// `Sat, 15 Nov 2025 10:12:11 UTC`, as seconds since 1970.
fn seconds(date: &str) -> Option<u64> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let zoned = date.strip_suffix("UTC").map(|rest| format!("{rest}+0000"));
    let time = PARSER.parse_timestamp(zoned.as_deref().unwrap_or(date)).ok()?;
    u64::try_from(time.as_second()).ok()
}

fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
    time.map(|t| t.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}
