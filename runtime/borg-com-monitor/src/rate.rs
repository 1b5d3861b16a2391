//! How much came in the last minute.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Of how many seconds the rates are.
const SECONDS: usize = 60;
const SPAN: u64 = SECONDS as u64;

/// Per second, over the last minute; since the port was first opened, if that is less long ago.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    pub bytes: f64,
    pub lines: f64,
}

/// What came in each of the last seconds. Its size does not depend on how much comes.
#[derive(Debug)]
pub struct Meter {
    /// By the clock that only goes forward, whoever sets the one on the wall.
    start: Instant,
    /// The second that counts are added to, since the start.
    second: u64,
    /// By second, modulo their number.
    counts: [Count; SECONDS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    bytes: u64,
    lines: u64,
}

impl Meter {
    pub fn new(start: Instant) -> Self {
        Meter { start, second: 0, counts: [Count::default(); SECONDS] }
    }

    pub fn add(&mut self, now: Instant, bytes: usize, lines: usize) {
        self.go_on(now);
        if let Some(count) = self.at(self.second) {
            count.bytes += bytes as u64;
            count.lines += lines as u64;
        }
    }

    pub fn rates(&mut self, now: Instant) -> Rates {
        self.go_on(now);
        let (bytes, lines) = self.counts.iter().fold((0, 0), |(b, l), count| (b + count.bytes, l + count.lines));
        // From the oldest second that is kept to now: the newest has only begun.
        let oldest = Duration::from_secs((self.second + 1).saturating_sub(SPAN));
        let span = now.saturating_duration_since(self.start).saturating_sub(oldest).as_secs_f64().max(1.0);
        let per_second = |count: u64| (count as f64 / span * 100.0).round() / 100.0;
        Rates { bytes: per_second(bytes), lines: per_second(lines) }
    }

    fn at(&mut self, second: u64) -> Option<&mut Count> {
        self.counts.get_mut(usize::try_from(second % SPAN).ok()?)
    }

    /// Forgets the seconds that are too long ago.
    fn go_on(&mut self, now: Instant) {
        let second = now.saturating_duration_since(self.start).as_secs();
        for old in (self.second + 1..=second).take(SECONDS) {
            if let Some(count) = self.at(old) {
                *count = Count::default();
            }
        }
        self.second = self.second.max(second);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meter() -> (Meter, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        (Meter::new(start), move |milliseconds| start + Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_steady_flow_has_its_rate() {
        let (mut meter, at) = meter();
        for tenth in 0..3000 {
            meter.add(at(tenth * 100), 12, usize::from(tenth % 5 == 0));
        }
        assert_eq!(meter.rates(at(300_000)), Rates { bytes: 120.0, lines: 2.0 });
    }

    #[test]
    fn a_port_that_was_just_found_is_not_taken_for_a_slow_one() {
        let (mut meter, at) = meter();
        meter.add(at(0), 500, 5);
        assert_eq!(meter.rates(at(10)), Rates { bytes: 500.0, lines: 5.0 });
        assert_eq!(meter.rates(at(5000)), Rates { bytes: 100.0, lines: 1.0 });
    }

    #[test]
    fn what_is_a_minute_ago_does_not_count() {
        let (mut meter, at) = meter();
        meter.add(at(0), 6000, 60);
        assert!(meter.rates(at(59_000)).bytes > 100.0);
        assert_eq!(meter.rates(at(61_000)), Rates::default());
        meter.add(at(1_000_000), 6000, 60);
        assert!(meter.rates(at(1_030_000)).lines >= 1.0);
        assert_eq!(meter.rates(at(9_000_000)), Rates::default());
    }

    proptest! {
        #[test]
        fn no_rate_is_more_than_what_came(steps in prop::collection::vec((0_u64..30_000, 0_usize..1000), 0..200)) {
            let (mut meter, at) = meter();
            let (mut now, mut all) = (0, 0);
            for (step, bytes) in steps {
                now += step;
                all += bytes as u64;
                meter.add(at(now), bytes, 0);
                prop_assert!(meter.rates(at(now)).bytes <= all as f64);
            }
        }
    }
}
