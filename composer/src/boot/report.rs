//! The guest's own verdict, as it comes through the check's port.

use serde::{Deserialize, Serialize};

use super::check::Case;
use super::console::clean;

/// More than this is no report.
pub const LIMIT: u64 = 1 << 20;

/// What the guest found, believed no further than it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub ok: bool,
    pub cases: Vec<Case>,
    /// Failures that no case tells of.
    pub failures: Vec<String>,
}

#[derive(Deserialize)]
struct Wire {
    verdict: String,
    #[serde(default)]
    failures: Vec<String>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    ok: bool,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    seconds: f64,
}

/// Reads the report from what the port has taken so far: nothing before the line has ended.
pub fn from_port(bytes: &[u8]) -> Option<Result<Report, String>> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let line = bytes.get(..end)?;
    Some(serde_json::from_slice(line).map(Wire::judged).map_err(|e| format!("the guest's report makes no sense: {e}")))
}

/// Reads the report from the rest of the console's verdict line.
pub fn from_console(line: &str) -> Report {
    let ok = line == "ok";
    let failures = if ok { Vec::new() } else { vec![clean(line.trim_start_matches("failed").trim())] };
    Report { ok, cases: Vec::new(), failures }
}

impl Wire {
    fn judged(self) -> Report {
        let cases: Vec<Case> = self.checks.into_iter().map(Check::case).collect();
        let told = |name: &String| cases.iter().any(|c| !c.ok && c.name == clean(name));
        let mut failures: Vec<String> = self.failures.iter().filter(|n| !told(n)).map(|n| clean(n)).collect();
        let ok = self.verdict == "ok" && failures.is_empty() && cases.iter().all(|c| c.ok);
        if !ok && failures.is_empty() && cases.iter().all(|c| c.ok) {
            failures.push(format!("the guest's verdict is {}", clean(&self.verdict)));
        }
        Report { ok, cases, failures }
    }
}

impl Check {
    fn case(self) -> Case {
        let seconds = if self.seconds.is_finite() { self.seconds.max(0.0) } else { 0.0 };
        Case { name: clean(&self.name), ok: self.ok, detail: clean(&self.detail), seconds }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_whole_line_is_a_report() {
        let line = br#"{"verdict":"ok","failures":[],"checks":[{"name":"units","ok":true,"detail":"none failed","seconds":0.2}],"listening":[]}"#;
        assert_eq!(from_port(line), None);
        let report = from_port(&[line.as_slice(), b"\n"].concat()).unwrap().unwrap();
        assert!(report.ok);
        assert_eq!(report.cases, [Case { name: "units".into(), ok: true, detail: "none failed".into(), seconds: 0.2 }]);
    }

    #[test]
    fn a_verdict_is_never_better_than_its_checks() {
        let ok = |json: &str| from_port(format!("{json}\n").as_bytes()).unwrap().unwrap().ok;
        assert!(!ok(r#"{"verdict":"ok","checks":[{"name":"nginx","ok":false}]}"#));
        assert!(!ok(r#"{"verdict":"ok","failures":["nginx"]}"#));
        assert!(!ok(r#"{"verdict":"failed"}"#));
        assert!(!ok(r#"{"verdict":"OK"}"#));
    }

    #[test]
    fn a_failure_is_told_once() {
        let line = b"{\"verdict\":\"failed\",\"failures\":[\"nginx\",\"clock\"],\"checks\":[{\"name\":\"nginx\",\"ok\":false,\"detail\":\"x\\u001b[2J\"}]}\n";
        let report = from_port(line).unwrap().unwrap();
        assert_eq!(report.failures, ["clock"]);
        assert_eq!(report.cases[0].detail, "x [2J");
    }

    #[test]
    fn the_console_line_is_the_fall_back() {
        assert!(from_console("ok").ok);
        assert_eq!(from_console("failed nginx").failures, ["nginx"]);
        assert!(!from_console("okay").ok);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            bytes.push(b'\n');
            let _ = from_port(&bytes);
        }

        #[test]
        fn any_json_is_read(text in "\\{\"verdict\":\"[a-z]{0,3}\",\"checks\":\\[\\{\"name\":\"\\PC{0,9}\",\"ok\":(true|false),\"seconds\":-?[0-9]{1,400}\\}\\]\\}") {
            let _ = from_port(format!("{text}\n").as_bytes());
        }
    }
}
