//! The journal's form of what is said: one line each, with systemd's mark for its priority.

use crate::history::Line;

/// A line that came in: `2026-01-02T03:04:05.678Z 12.345678 /dev/ttyUSB0: text`, the second number being seconds since
/// the machine started.
pub fn line(line: &Line) -> String {
    // The mark is the priority `info`; without it a line that starts with `<3>` would choose its own.
    format!("<6>{}", plain(line))
}

/// The same without the mark, for files.
pub fn plain(line: &Line) -> String {
    format!("{:.3} {:.6} {}: {}\n", line.at, line.uptime.as_secs_f64(), line.port, line.text)
}

/// A line about the monitor itself.
pub fn notice(text: &str) -> String {
    format!("<5>{text}\n")
}

/// As [`notice`], but a warning.
pub fn warning(text: &str) -> String {
    format!("<4>{text}\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_line_has_both_times_port_and_text() {
        let at = Timestamp::new(1_767_323_045, 678_900_000).unwrap();
        let port = "/dev/ttyUSB0".to_owned();
        let came = Line { cursor: 1, at, uptime: Duration::from_micros(12_345_678), port, text: "<3>hello".into() };
        assert_eq!(line(&came), "<6>2026-01-02T03:04:05.678Z 12.345678 /dev/ttyUSB0: <3>hello\n");
        assert_eq!(plain(&came), "2026-01-02T03:04:05.678Z 12.345678 /dev/ttyUSB0: <3>hello\n");
    }
}
