//! The checks, one after the other; each becomes a [`CheckResult`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use borg_config::{BootCheck, CheckResult, Health, Listening};

use crate::edge;
use crate::ports::{self, Fault};
use crate::sockets::{Protocol, Socket};
use crate::systemd;

/// How long a service that systemd calls started may take until it answers.
const SETTLE: Duration = Duration::from_secs(30);
/// How long an undeclared UDP socket may live: a client that asks a time or name server holds one while it waits.
const CLIENT_TIME: Duration = Duration::from_secs(15);
/// How much of a program's output is told: lines, and characters in all.
const OUTPUT_LINES: usize = 10;
const OUTPUT_LENGTH: usize = 1000;
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Times a check and puts its result into words.
fn timed(name: impl Into<String>, check: impl FnOnce() -> Result<String, String>) -> CheckResult {
    let start = Instant::now();
    let result = check();
    let ok = result.is_ok();
    let detail = result.unwrap_or_else(|fault| fault);
    CheckResult { name: name.into(), ok, detail, seconds: start.elapsed().as_secs_f64() }
}

pub fn failure(name: &str, detail: impl Into<String>) -> CheckResult {
    CheckResult { name: name.into(), ok: false, detail: detail.into(), seconds: 0.0 }
}

pub fn started(until: Instant) -> CheckResult {
    timed("boot", || systemd::wait_until_started(until))
}

/// One result a failed unit, or one that says that there is none.
pub fn units() -> Vec<CheckResult> {
    let start = Instant::now();
    let failed = systemd::failed_units();
    if failed.is_empty() {
        let seconds = start.elapsed().as_secs_f64();
        return vec![CheckResult { name: "units".into(), ok: true, detail: "none failed".into(), seconds }];
    }
    failed.into_iter().map(|(unit, journal)| failure(&unit, journal)).collect()
}

pub fn secure_boot() -> CheckResult {
    timed("secure-boot", || {
        let bytes = std::fs::read(SECURE_BOOT).map_err(|e| format!("{SECURE_BOOT}: {e}"))?;
        if secure_boot_on(&bytes) { Ok("on".into()) } else { Err(format!("off: the firmware says {bytes:?}")) }
    })
}

/// Four bytes of attributes, then the value (UEFI specification, 3.3).
fn secure_boot_on(variable: &[u8]) -> bool {
    matches!(variable, [_, _, _, _, 1])
}

/// Every health check of every service, each asked until it passes or time is up.
pub fn health(config: &BootCheck, deadline: Instant) -> Vec<CheckResult> {
    let until = deadline.min(Instant::now() + SETTLE);
    let all = config.services.iter().flat_map(|service| service.health.iter().map(move |h| (service, h)));
    all.map(|(service, check)| {
        let name = format!("{}: {}", service.name, health_name(check));
        timed(name, || edge::retry(until, || healthy(check)))
    })
    .collect()
}

fn health_name(check: &Health) -> String {
    match check {
        Health::Unit(unit) => unit.clone(),
        Health::Http { port, path } => format!("http {port}{path}"),
        Health::Tcp(port) => format!("tcp {port}"),
        Health::Exec(argv) => argv.join(" "),
    }
}

fn healthy(check: &Health) -> Result<String, String> {
    match check {
        Health::Unit(unit) => systemd::is_active(unit),
        Health::Http { port, path } => match edge::get(*port, path)? {
            status if status < 400 => Ok(format!("status {status}")),
            status => Err(format!("status {status}")),
        },
        Health::Tcp(port) => edge::connect(*port).map(|_| "connected".into()),
        Health::Exec(argv) => {
            let ended = edge::run(argv, SETTLE);
            let output = its_end(&ended.output);
            if ended.ok { Ok(output) } else { Err(output) }
        }
    }
}

/// The last lines of what a program printed: they say what went wrong, and a report is for people.
fn its_end(output: &str) -> String {
    let lines = output.lines().count().saturating_sub(OUTPUT_LINES);
    let last: Vec<&str> = output.lines().skip(lines).collect();
    let text = last.join("\n");
    let more = text.chars().count().saturating_sub(OUTPUT_LENGTH);
    let end: String = text.chars().skip(more).collect();
    if lines + more > 0 { format!("…{end}") } else { end }
}

/// What listens, and one result a difference to what is declared, or one that says that there is none.
pub fn listening(config: &BootCheck, deadline: Instant) -> (Vec<CheckResult>, Vec<Listening>) {
    let start = Instant::now();
    let faults = lasting_faults(config, deadline);
    let sockets = edge::listening();
    let holders = edge::holders();
    let list = sockets.iter().map(|socket| describe(socket, &holders)).collect();
    let mut results: Vec<CheckResult> = faults.iter().map(|fault| port_result(fault, &holders)).collect();
    if results.is_empty() {
        let detail = format!("{} sockets, all declared", sockets.len());
        results.push(CheckResult { name: "ports".into(), ok: true, detail, seconds: start.elapsed().as_secs_f64() });
    }
    (results, list)
}

/// Looks until there is no fault or time is up. A UDP socket counts when it was there at every look.
fn lasting_faults(config: &BootCheck, deadline: Instant) -> Vec<Fault> {
    let until = deadline.min(Instant::now() + CLIENT_TIME);
    let mut faults = ports::compare(config, &edge::listening());
    while !faults.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_secs(1));
        let now = ports::compare(config, &edge::listening());
        faults = still_there(&faults, now);
    }
    faults
}

/// Leaves out the UDP sockets that were not there before: clients open and close theirs all the time.
fn still_there(before: &[Fault], now: Vec<Fault>) -> Vec<Fault> {
    let old = |fault: &Fault| match &fault.socket {
        Some(socket) if socket.protocol == Protocol::Udp => before.contains(fault),
        _ => true,
    };
    now.into_iter().filter(old).collect()
}

fn describe(socket: &Socket, holders: &BTreeMap<u64, String>) -> Listening {
    Listening {
        protocol: socket.protocol.name().into(),
        address: socket.address,
        port: socket.port,
        process: holders.get(&socket.inode).cloned(),
    }
}

fn port_result(fault: &Fault, holders: &BTreeMap<u64, String>) -> CheckResult {
    let who = fault.socket.as_ref().map_or(String::new(), |socket| {
        let process = holders.get(&socket.inode).map_or("an unknown process", String::as_str);
        format!(": {process} listens on {}", socket.address)
    });
    failure(&format!("port {} {}", fault.protocol, fault.port), format!("{}{who}", fault.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secure_boot_is_the_fifth_byte() {
        assert!(secure_boot_on(&[6, 0, 0, 0, 1]));
        for variable in [&[6, 0, 0, 0, 0][..], &[6, 0, 0, 0], &[1], &[6, 0, 0, 0, 1, 1]] {
            assert!(!secure_boot_on(variable), "{variable:?}");
        }
    }

    #[test]
    fn a_health_check_has_a_name_and_a_reason() {
        let config = BootCheck {
            services: vec![borg_config::ServiceCheck {
                name: "web".into(),
                health: vec![Health::Exec(vec!["sh".into(), "-c".into(), "echo why; exit 3".into()])],
                ports: vec![],
            }],
        };
        let results = health(&config, Instant::now());
        assert_eq!(results[0].name, "web: sh -c echo why; exit 3");
        assert_eq!((results[0].ok, results[0].detail.as_str()), (false, "why"));
    }

    #[test]
    fn long_output_is_cut_short() {
        assert_eq!(its_end("a\nb"), "a\nb");
        assert_eq!(its_end(""), "");
        let lines: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        assert_eq!(its_end(&lines.join("\n")), format!("…{}", lines[40..].join("\n")));
        let long = its_end(&"é".repeat(5000));
        assert_eq!((long.chars().count(), long.starts_with("…é")), (OUTPUT_LENGTH + 1, true));
    }

    #[test]
    fn a_udp_socket_counts_when_it_stays() {
        let fault = |protocol: Protocol, inode| {
            let socket = Socket { protocol, port: 40_000, address: [0, 0, 0, 0].into(), inode };
            Fault { protocol: protocol.name().into(), port: 40_000, reason: "", socket: Some(socket) }
        };
        let (stays, new) = (fault(Protocol::Udp, 1), fault(Protocol::Udp, 2));
        let tcp = fault(Protocol::Tcp, 3);
        let now = vec![stays.clone(), new, tcp.clone()];
        assert_eq!(still_there(std::slice::from_ref(&stays), now), [stays, tcp]);
    }

    #[test]
    fn a_port_fault_names_who_listens() {
        let socket = Socket { protocol: Protocol::Tcp, port: 99, address: [0, 0, 0, 0].into(), inode: 7 };
        let fault =
            Fault { protocol: "tcp".into(), port: 99, reason: "nobody declares this port", socket: Some(socket) };
        let result = port_result(&fault, &BTreeMap::from([(7, "nc".into())]));
        assert_eq!((result.name.as_str(), result.ok), ("port tcp 99", false));
        assert_eq!(result.detail, "nobody declares this port: nc listens on 0.0.0.0");
    }
}
