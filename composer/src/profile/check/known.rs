//! Names that Debian's own packages decide: time zones, locales, keyboard layouts.

static TIME_ZONES: &str = include_str!("../../../data/timezones.txt");
static LOCALES: &str = include_str!("../../../data/locales.txt");
static LAYOUTS: &str = include_str!("../../../data/keyboards.txt");

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// The time zones that the image's tzdata has.
pub fn time_zones() -> impl Iterator<Item = &'static str> {
    lines(TIME_ZONES).filter(|line| !line.contains(' '))
}

/// What a zone of an old name is called today.
pub fn time_zone_today(old: &str) -> Option<&'static str> {
    lines(TIME_ZONES).filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == old).map(|(_, today)| today)
}

/// Locales without their codeset: `de_DE`, `ca_ES@valencia`.
pub fn locales() -> impl Iterator<Item = &'static str> {
    lines(LOCALES)
}

pub fn layouts() -> impl Iterator<Item = &'static str> {
    lines(LAYOUTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_read() {
        assert!(time_zones().any(|zone| zone == "Europe/Berlin") && !time_zones().any(|zone| zone == "Japan"));
        assert_eq!(time_zone_today("Asia/Calcutta"), Some("Asia/Kolkata"));
        assert!(locales().any(|name| name == "de_DE") && locales().any(|name| name == "sr_RS@latin"));
        assert!(layouts().any(|name| name == "us") && !layouts().any(|name| name == "en"));
    }
}
