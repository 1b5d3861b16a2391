use super::*;
use crate::spec::types::Port;

fn service(name: &str, ports: &[(u16, Protocol, Reach)], health: Vec<Health>) -> ServiceSpec {
    ServiceSpec {
        files: Vec::new(),
        name: name.into(),
        brought_by: None,
        options: indexmap::IndexMap::new(),
        runtime: Vec::new(),
        units: Vec::new(),
        enable: Vec::new(),
        ports: ports
            .iter()
            .map(|(port, protocol, reach)| Port { port: *port, protocol: *protocol, reach: *reach })
            .collect(),
        health,
    }
}

fn outcome(report: Option<&str>, fault: Option<&str>) -> Outcome {
    Outcome {
        accelerator: Accelerator::Tcg,
        seconds: 33.4,
        report: report.map(|r| super::super::report::from_port(format!("{r}\n").as_bytes()).unwrap().unwrap()),
        fault: fault.map(str::to_owned),
        probes: Vec::new(),
        tail: vec!["GRUB loading".into(), "edge login:".into()],
        screenshot: false,
    }
}

fn judged(outcome: &Outcome) -> Verdict {
    let options = Options { firmware: Firmware::Bios, ..Options::new("x.iso") };
    let logs = Logs { store: "/s".into(), name: "boot-x".into() };
    judge(outcome, cases(&options, outcome), &logs, &options.label())
}

#[test]
fn each_tcp_port_is_asked_as_it_was_declared() {
    use Protocol::{Tcp, Udp};
    use Reach::{Client, Loopback, Public};
    let http = Health::Http { port: 80, path: "/up".into() };
    let services = [
        service("nginx", &[(80, Tcp, Public), (8080, Tcp, Loopback)], vec![http]),
        service("mcp", &[(7300, Tcp, Loopback), (80, Tcp, Loopback)], Vec::new()),
        service("proxy", &[(8080, Tcp, Public)], Vec::new()),
        service("network", &[(68, Udp, Client), (5353, Udp, Public), (9, Tcp, Client)], Vec::new()),
    ];
    let asked: Vec<_> =
        probes(&services).into_iter().map(|p| (p.service, p.forward.host, p.forward.guest, p.expect)).collect();
    assert_eq!(
        asked,
        [
            ("nginx".into(), 20_000, 80, Expect::Http("/up".into())),
            ("mcp".into(), 20_001, 7300, Expect::Refusal),
            ("proxy".into(), 20_002, 8080, Expect::Answer),
        ]
    );
}

#[test]
fn a_content_guest_is_a_good_verdict() {
    let verdict = judged(&outcome(Some(r#"{"verdict":"ok","checks":[{"name":"units","ok":true}]}"#), None));
    assert!(verdict.ok, "{verdict:?}");
    assert_eq!(verdict.cases.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["boots (bios, cd)", "units"]);
    assert_eq!(verdict.console_log, Path::new("/s/logs/boot-x.log"));
}

#[test]
fn whatever_fails_makes_the_verdict_bad() {
    let guest = judged(&outcome(
        Some(r#"{"verdict":"failed","checks":[{"name":"units","ok":false,"detail":"nginx.service"}]}"#),
        None,
    ));
    assert_eq!((guest.ok, guest.failures), (false, vec!["units: nginx.service".to_owned()]));

    let mut seen = outcome(Some(r#"{"verdict":"ok"}"#), None);
    seen.probes.push(Case {
        name: "nginx: port 80 answers from outside".into(),
        ok: false,
        detail: "refused".into(),
        seconds: 0.1,
    });
    assert!(!judged(&seen).ok);

    let silent = judged(&outcome(None, Some("no verdict within 300 s")));
    assert!(!silent.ok);
    insta::assert_snapshot!(silent.failures.join("\n"));
}

#[test]
fn a_log_name_cannot_leave_its_qemu_option() {
    let store = tempfile::tempdir().unwrap();
    let store = Store::open(store.path()).unwrap();
    let logs = Logs::new(&Options::new("/a b/x,file=y\n.iso"), "", &store);
    assert!(logs.worker(".log").display().to_string().starts_with("/store/logs/boot-xfiley-uefi-cd-"), "{logs:?}");
}
