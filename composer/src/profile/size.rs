//! Sizes as people write them.

/// Bytes of `2 GB`, `700 MiB`; nothing if it is no such size, or zero, or beyond 64 bits.
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..)?.trim_start() {
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes() {
        assert_eq!(parse("2 GB"), Some(2_000_000_000));
        assert_eq!(parse("700MiB"), Some(700 << 20));
        for text in ["", "GB", "0 GB", "2", "2 TB", "-1 GB", "99999999999999999999 GB", "18446744073709551615 GB"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
