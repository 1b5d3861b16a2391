//! The verdicts as `JUnit` XML, for a CI's test view.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Verdict;
use super::check::Case;
use crate::{Error, Result};

/// One suite a boot, one case a check; no time stamps.
pub fn render(verdicts: &[(String, Verdict)]) -> Result<String> {
    let mut report = Report::new("borg-compose boot");
    report.add_test_suites(verdicts.iter().map(|(label, verdict)| suite(label, verdict)));
    report.to_string().map_err(|e| Error::internal("cannot write the JUnit report").because(&e))
}

fn suite(label: &str, verdict: &Verdict) -> TestSuite {
    let mut suite = TestSuite::new(label);
    suite.add_test_cases(verdict.cases.iter().map(|c| case(label, c)));
    if !verdict.ok && verdict.cases.iter().all(|c| c.ok) {
        let detail = verdict.failures.join("\n");
        suite.add_test_case(case(label, &Case { name: "verdict".into(), ok: false, detail, seconds: 0.0 }));
    }
    suite
}

fn case(label: &str, case: &Case) -> TestCase {
    let mut status = TestCaseStatus::success();
    if !case.ok {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(case.detail.clone());
    }
    let mut test = TestCase::new(case.name.clone(), status);
    test.set_classname(format!("boot.{label}"));
    test.set_time(Duration::try_from_secs_f64(case.seconds).unwrap_or_default());
    if case.ok && !case.detail.is_empty() {
        test.set_system_out(case.detail.clone());
    }
    test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_says_is_escaped() {
        let cases = vec![
            Case { name: "boots".into(), ok: true, detail: "34 s with TCG".into(), seconds: 34.2 },
            Case {
                name: "nginx <80>".into(),
                ok: false,
                detail: "\"no\" & ]]> \u{1b}[1m</testsuite>".into(),
                seconds: f64::NAN,
            },
        ];
        let verdict = Verdict { ok: false, failures: vec!["nginx <80>".into()], cases, console_log: "x.log".into() };
        insta::assert_snapshot!(render(&[("bios-cd".into(), verdict)]).unwrap());
    }

    #[test]
    fn a_verdict_without_a_failed_case_still_fails() {
        let verdict =
            Verdict { ok: false, failures: vec!["lost".into()], cases: Vec::new(), console_log: "x.log".into() };
        let xml = render(&[("uefi-usb".into(), verdict)]).unwrap();
        assert!(xml.contains("failures=\"1\"") && xml.contains("message=\"lost\""), "{xml}");
    }
}
