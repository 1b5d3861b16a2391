//! Lines for the journal: one `write` each, so that threads do not mix theirs.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

/// A line that came in: `2026-01-02T03:04:05.678Z /dev/ttyUSB0: text`.
pub fn line(port: &Path, text: &str) {
    emit(&format_line(Timestamp::now(), port, text));
}

/// A line about the monitor itself; `<5>` is systemd's mark for a notice.
pub fn notice(text: &str) {
    emit(&format!("<5>{text}\n"));
}

/// As [`notice`], but a warning.
pub fn warning(text: &str) {
    emit(&format!("<4>{text}\n"));
}

fn format_line(at: Timestamp, port: &Path, text: &str) -> String {
    // The mark is the priority `info`; without it a line that starts with `<3>` would choose its own.
    format!("<6>{at:.3} {}: {text}\n", port.display())
}

fn emit(line: &str) {
    // Nobody left to read is no reason to stop: the journal may be restarting.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_time_port_and_text() {
        let at = Timestamp::new(1_767_323_045, 678_900_000).unwrap();
        let text = format_line(at, Path::new("/dev/ttyUSB0"), "<3>hello");
        assert_eq!(text, "<6>2026-01-02T03:04:05.678Z /dev/ttyUSB0: <3>hello\n");
    }
}
