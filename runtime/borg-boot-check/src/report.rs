//! The verdict, in words for consoles and as JSON for the host.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use borg_config::{BOOT_CHECK_PORT, BootReport, CheckResult, Listening, Verdict};

/// A console that nobody drains must not hold up the verdict on the others.
const CONSOLE_TIME: Duration = Duration::from_secs(10);

pub fn judge(checks: Vec<CheckResult>, listening: Vec<Listening>) -> BootReport {
    let failures: Vec<String> = checks.iter().filter(|c| !c.ok).map(|c| c.name.clone()).collect();
    let verdict = if failures.is_empty() { Verdict::Ok } else { Verdict::Failed };
    BootReport { verdict, failures, checks, listening }
}

/// The report as lines: what listens, notes on each failure, and the verdict last.
pub fn text(report: &BootReport) -> String {
    let mut text = String::new();
    for socket in &report.listening {
        let process = socket.process.as_deref().unwrap_or("?");
        let address = std::net::SocketAddr::new(socket.address, socket.port);
        let _ = writeln!(text, "BORG-BOOT-CHECK-LISTEN: {} {address} {}", socket.protocol, one_line(process));
    }
    for check in report.checks.iter().filter(|c| !c.ok) {
        let detail = if check.detail.is_empty() { "no details" } else { check.detail.as_str() };
        for line in detail.lines() {
            let _ = writeln!(text, "BORG-BOOT-CHECK-NOTE: {}: {}", one_line(&check.name), one_line(line));
        }
    }
    match report.verdict {
        Verdict::Ok => text.push_str("BORG-BOOT-CHECK: ok\n"),
        Verdict::Failed => {
            let names: Vec<String> = report.failures.iter().map(|name| one_word(name)).collect();
            let _ = writeln!(text, "BORG-BOOT-CHECK: failed {}", names.join(" "));
        }
    }
    text
}

/// Names are separated by blanks: `ssh: tcp 22` becomes `ssh:tcp:22`.
fn one_word(text: &str) -> String {
    one_line(text).split([' ', ':']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":")
}

/// A service's output must not be able to print a verdict of its own, nor to steer the terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Tells everyone who may listen: standard output, every console, and the host.
pub fn tell(report: &BootReport) {
    let text = text(report);
    // Nobody left to tell is no reason to fail, here and below.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    // A login prompt may stand on the line.
    let on_console = format!("\n{text}");
    let consoles = consoles(&std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default());
    let mut outputs: Vec<(PathBuf, String)> = consoles.into_iter().map(|path| (path, on_console.clone())).collect();
    if let Ok(json) = serde_json::to_string(report) {
        outputs.push((PathBuf::from("/dev/virtio-ports").join(BOOT_CHECK_PORT), json + "\n"));
    }
    let (done, all_done) = std::sync::mpsc::channel();
    let count = outputs.len();
    for (path, text) in outputs {
        let done = done.clone();
        std::thread::spawn(move || {
            let _ = write_device(&path, &text);
            let _ = done.send(());
        });
    }
    for _ in 0..count {
        let _ = all_done.recv_timeout(CONSOLE_TIME);
    }
}

/// The devices of `/sys/class/tty/console/active`. `/dev/console` is the last of them, so it is used only when there
/// is none: the verdict is one line on each.
fn consoles(active: &str) -> Vec<PathBuf> {
    let named: Vec<PathBuf> = active.split_whitespace().map(|name| PathBuf::from("/dev").join(name)).collect();
    if named.is_empty() { vec![PathBuf::from("/dev/console")] } else { named }
}

fn write_device(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    // Not created: where there is no such device, a file would be wrong. A process of a service has no terminal to gain.
    let mut device = File::options().write(true).open(path)?;
    device.write_all(text.as_bytes())?;
    device.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, ok: bool, detail: &str) -> CheckResult {
        CheckResult { name: name.into(), ok, detail: detail.into(), seconds: 0.5 }
    }

    fn nginx() -> Listening {
        let address = [0, 0, 0, 0].into();
        Listening { protocol: "tcp".into(), address, port: 80, process: Some("nginx".into()) }
    }

    #[test]
    fn a_good_boot_ends_with_ok() {
        let report = judge(vec![check("boot", true, "running")], vec![nginx()]);
        assert_eq!(text(&report), "BORG-BOOT-CHECK-LISTEN: tcp 0.0.0.0:80 nginx\nBORG-BOOT-CHECK: ok\n");
    }

    #[test]
    fn a_bad_boot_names_what_failed_and_cannot_be_talked_over() {
        let checks = vec![
            check("nginx.service", false, "emerg\r\nBORG-BOOT-CHECK: ok\u{1b}[2J"),
            check("boot", true, "degraded"),
            check("ssh: tcp 22", false, ""),
        ];
        let expected = "\
BORG-BOOT-CHECK-NOTE: nginx.service: emerg
BORG-BOOT-CHECK-NOTE: nginx.service: BORG-BOOT-CHECK: ok [2J
BORG-BOOT-CHECK-NOTE: ssh: tcp 22: no details
BORG-BOOT-CHECK: failed nginx.service ssh:tcp:22
";
        assert_eq!(text(&judge(checks, vec![])), expected);
    }

    #[test]
    fn the_host_gets_one_line_of_json() {
        let report = judge(vec![check("boot", true, "a\nb")], vec![nginx()]);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            json,
            r#"{"verdict":"ok","failures":[],"checks":[{"name":"boot","ok":true,"detail":"a\nb","seconds":0.5}],"#
                .to_owned()
                + r#""listening":[{"protocol":"tcp","address":"0.0.0.0","port":80,"process":"nginx"}]}"#
        );
    }

    #[test]
    fn every_console_is_told_once() {
        assert_eq!(consoles("tty0 ttyS0\n"), [PathBuf::from("/dev/tty0"), PathBuf::from("/dev/ttyS0")]);
        assert_eq!(consoles(""), [PathBuf::from("/dev/console")]);
    }
}
