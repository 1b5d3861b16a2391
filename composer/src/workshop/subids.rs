//! `/etc/subuid` and `/etc/subgid`: the ids that an ordinary user may use in a user namespace (subuid(5)).

/// Ids that an image needs: 0 to 65535, nobody and nogroup among them.
pub const NEEDED: u32 = 65_536;

/// Where useradd begins to give such ids out.
const FIRST: u32 = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: u32,
    pub count: u32,
}

impl Range {
    fn end(self) -> Option<u32> {
        self.start.checked_add(self.count)
    }

    fn meets(self, other: Range) -> bool {
        u64::from(self.start) < u64::from(other.start) + u64::from(other.count)
            && u64::from(other.start) < u64::from(self.start) + u64::from(self.count)
    }
}

/// `owner:start:count`; a line that makes no sense counts as absent, as it does for newuidmap.
fn line(text: &str) -> Option<(&str, Range)> {
    let mut fields = text.trim().split(':');
    let (owner, start, count) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let range = Range { start, count };
    (fields.next().is_none() && count > 0 && range.end().is_some()).then_some((owner, range))
}

/// The ranges of the user with this name and number, as many as an image needs; none overlap each other or `own`.
pub fn of(text: &str, name: &str, uid: u32, own: u32) -> Vec<Range> {
    let number = uid.to_string();
    let mine = text.lines().filter_map(line).filter(|(owner, _)| *owner == name || *owner == number);
    let mut taken = vec![Range { start: own, count: 1 }];
    let mut sum = 0;
    for (_, range) in mine {
        // The kernel takes no map in which an id stands twice, and no sum beyond its numbers.
        if sum < NEEDED && !taken.iter().any(|other| other.meets(range)) {
            taken.push(range);
            sum = sum.saturating_add(range.count);
        }
    }
    taken.split_off(1)
}

/// How many ids these are.
pub fn count(ranges: &[Range]) -> u32 {
    ranges.iter().fold(0, |sum, range| sum.saturating_add(range.count))
}

/// The map as newuidmap takes it: inside, outside, count. 0 is `own`, the ranges follow.
pub fn map(own: u32, ranges: &[Range]) -> Vec<String> {
    let mut words = [0, own, 1].map(|n| n.to_string()).to_vec();
    let mut inside = 1_u32;
    for range in ranges {
        let count = range.count.min(u32::MAX - inside);
        words.extend([inside, range.start, count].map(|n| n.to_string()));
        inside = inside.saturating_add(count);
    }
    words
}

/// Ids that nobody in this file has, as usermod takes them: `100000-165535`.
pub fn free(text: &str) -> String {
    let start = text.lines().filter_map(line).filter_map(|(_, range)| range.end()).fold(FIRST, u32::max);
    format!("{start}-{}", u64::from(start) + u64::from(NEEDED) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# none\nbob:100000:65536\nalice:165536:65536\n\nalice:x:1\nalice:1\nalice:5:0\nalice:9:9:9\n";

    #[test]
    fn a_users_ranges_are_found_by_name_or_number() {
        assert_eq!(of(FILE, "alice", 1000, 1000), [Range { start: 165_536, count: 65_536 }]);
        assert_eq!(of("1000:200000:70000", "alice", 1000, 1000), [Range { start: 200_000, count: 70_000 }]);
        assert!(of(FILE, "carol", 1001, 1001).is_empty());
        assert!(of("alice:4294967295:4294967295", "alice", 1, 1).is_empty());
    }

    #[test]
    fn ranges_add_up_and_never_overlap() {
        let text = "a:100000:40000\na:120000:5\na:1000:10\na:300000:40000\na:400000:40000\n";
        let ranges = of(text, "a", 1005, 1005);
        assert_eq!(ranges, [Range { start: 100_000, count: 40_000 }, Range { start: 300_000, count: 40_000 }]);
        assert_eq!(count(&ranges), 80_000);
        let expected = "0 1005 1 1 100000 40000 40001 300000 40000";
        assert_eq!(map(1005, &ranges).join(" "), expected);
    }

    #[test]
    fn what_is_proposed_is_free() {
        assert_eq!(free(""), "100000-165535");
        assert_eq!(free(FILE), "231072-296607");
    }
}
