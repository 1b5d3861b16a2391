//! What is known of the ports in Prometheus' text format.

use std::fmt::Write as _;

use crate::board::Status;

/// One metric: its name, its kind, what it says, and its value for a port, if it has one.
type Metric = (&'static str, &'static str, &'static str, fn(&Status) -> Option<u64>);

const METRICS: [Metric; 9] = [
    ("up", "gauge", "1 while the port is read", |s| Some(u64::from(s.listening))),
    ("opened_total", "counter", "How often the port was opened", |s| Some(s.opened)),
    ("bytes_total", "counter", "Bytes read", |s| Some(s.bytes)),
    ("lines_total", "counter", "Lines read", |s| Some(s.lines)),
    ("frame_errors_total", "counter", "Characters without a stop bit", |s| s.counts.map(|c| c.frame_errors.into())),
    ("parity_errors_total", "counter", "Characters of wrong parity", |s| s.counts.map(|c| c.parity_errors.into())),
    ("breaks_total", "counter", "Breaks", |s| s.counts.map(|c| c.breaks.into())),
    ("overruns_total", "counter", "Characters that the device dropped", |s| s.counts.map(|c| c.overruns.into())),
    ("buffer_overruns_total", "counter", "Characters that the kernel dropped", |s| {
        s.counts.map(|c| c.buffer_overruns.into())
    }),
];

pub fn text(ports: &[Status]) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in METRICS {
        let _ = writeln!(text, "# HELP borg_serial_{name} {help}.\n# TYPE borg_serial_{name} {kind}");
        for status in ports {
            if let Some(value) = value(status) {
                let _ = writeln!(text, "borg_serial_{name}{{port=\"{}\"}} {value}", label(&status.port));
            }
        }
    }
    text
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use borg_config::SerialPort as Rule;

    use super::*;
    use crate::board::Board;
    use crate::counts::Counts;

    #[test]
    fn a_port_without_counters_has_none() {
        let board = Board::default();
        board.opened("/dev/a\"b", &Rule::new("/dev/*"), Err("busy".into()));
        board.opened("/dev/c", &Rule::new("/dev/*"), Err("busy".into()));
        board.counted("/dev/c", Counts { overruns: 7, ..Counts::default() });
        board.read("/dev/c", 10, 2);
        let text = text(&board.all());
        assert!(text.contains("borg_serial_up{port=\"/dev/a\\\"b\"} 0\n"), "{text}");
        assert!(
            text.contains("# TYPE borg_serial_overruns_total counter\nborg_serial_overruns_total{port=\"/dev/c\"} 7\n")
        );
        assert!(text.contains("borg_serial_lines_total{port=\"/dev/c\"} 2\n"));
    }
}
