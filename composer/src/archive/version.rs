//! Debian version order (deb-version(7)), without allocating: a solve compares versions many thousand times.

use std::cmp::Ordering;

/// Compares two versions as dpkg does.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a_epoch, a_rest) = epoch(a);
    let (b_epoch, b_rest) = epoch(b);
    let (a_upstream, a_revision) = revision(a_rest);
    let (b_upstream, b_revision) = revision(b_rest);
    part(a_epoch, b_epoch).then_with(|| part(a_upstream, b_upstream)).then_with(|| part(a_revision, b_revision))
}

fn epoch(version: &str) -> (&str, &str) {
    version.split_once(':').unwrap_or(("0", version))
}

fn revision(version: &str) -> (&str, &str) {
    version.rsplit_once('-').unwrap_or((version, "0"))
}

/// Compares runs of non-digits and numbers by turns.
fn part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let (a_text, a_rest) = split(a, |c| !c.is_ascii_digit());
        let (b_text, b_rest) = split(b, |c| !c.is_ascii_digit());
        let (a_digits, b_digits);
        (a_digits, a) = split(a_rest, u8::is_ascii_digit);
        (b_digits, b) = split(b_rest, u8::is_ascii_digit);
        let order = text(a_text, b_text).then_with(|| number(a_digits, b_digits));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn split(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|c| !belongs(c)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// `~` sorts before the end, letters before all else.
fn rank(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    }
}

fn text(a: &[u8], b: &[u8]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|i| rank(a.get(i)).cmp(&rank(b.get(i))))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn number(a: &[u8], b: &[u8]) -> Ordering {
    let (_, a) = split(a, |c| *c == b'0');
    let (_, b) = split(b, |c| *c == b'0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_as_dpkg_has_it() {
        let sorted = [
            "1.0~rc1",
            "1.0",
            "1.0-0.1",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb13u1",
            "1.0a",
            "1.0+x",
            "1.9",
            "1.10",
            "2:0.1",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("1.0", "1.0-0"), Ordering::Equal);
        assert_eq!(compare("0:1.00", "1.0"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn agrees_with_debversion(
            a in "([0-2]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?",
            b in "([0-2]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?",
        ) {
            let (x, y): (debversion::Version, debversion::Version) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(compare(&a, &b), x.cmp(&y));
        }

        #[test]
        fn any_text_has_an_order(a in "\\PC{0,12}", b in "\\PC{0,12}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
