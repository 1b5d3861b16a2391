//! However it goes, nobody is left.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::setup::{Setup, dies, lives};

/// Starts a process of its own, says the numbers of both, and waits for ever, whatever signal comes.
const STAYS: &str = "#!/bin/sh\ntrap '' TERM HUP INT\nsleep 1000 &\necho $$ $!\nwhile :; do sleep 1000; done\n";
/// As little as it is, a host is 3 MiB.
const SMALL: u64 = 12 * 1024;

#[test]
fn a_client_that_leaves_takes_the_plugin_with_it() {
    let setup = Setup::new(&[]);
    setup.program("stays", STAYS);
    for how in [Shutdown::Both, Shutdown::Write] {
        let mut host = setup.host(&[]);
        let processes = host.run("stays");
        assert_eq!(processes.len(), 2);
        assert!(processes.iter().all(|one| lives(*one)));
        host.client.get_ref().shutdown(how).unwrap();
        assert!(host.ends().success());
        assert!(processes.iter().all(|one| dies(*one)), "{processes:?}");
        assert_eq!(host.complaints(), "");
    }
}

#[test]
fn a_plugin_that_ends_leaves_nobody_behind() {
    let setup = Setup::new(&[]);
    setup.program("ends", "#!/bin/sh\nsleep 1000 &\necho $!\nkill -KILL $$\n");
    let mut host = setup.host(&[]);
    let processes = host.run("ends");
    assert!(host.ends().success());
    assert!(dies(processes[0]));
    assert_eq!(host.line(), "");
    assert_eq!(host.complaints(), "borg-plugin-host: plugin ends: ended by itself, signal 9\n");
}

#[test]
fn output_that_nobody_reads_fills_no_memory() {
    let setup = Setup::new(&[]);
    setup.program("flood", "#!/bin/sh\nexec yes 0\n");
    let mut host = setup.host(&[]);
    host.run("flood");
    std::thread::sleep(Duration::from_millis(300));
    let mut some = vec![0; 50_000_000];
    host.client.read_exact(&mut some).unwrap();
    assert!(host.peak() < SMALL, "{} KiB", host.peak());
    host.leave();
    assert!(host.ends().success());
}

#[test]
fn a_first_line_without_end_is_refused() {
    let setup = Setup::new(&[]);
    let mut host = setup.host(&[]);
    let mut client = host.client.get_ref().try_clone().unwrap();
    // It ends with an error once nobody reads any more.
    let writer = std::thread::spawn(move || {
        let piece = [b' '; 16 * 1024];
        while client.write_all(&piece).is_ok() {}
    });
    let answer = host.answer();
    let told = answer["error"]["message"].as_str().unwrap();
    assert_eq!(told, "the first line is longer than 1048576 bytes; send a smaller source");
    assert!(host.ends().success());
    writer.join().unwrap();
}

#[test]
fn a_client_that_says_nothing_is_not_waited_for() {
    let setup = Setup::new(&[]);
    let (mut leaves, mut waits) = (setup.host(&[]), setup.host(&[]));
    waits.client.get_mut().write_all(b"{\"run\":").unwrap();
    leaves.leave();
    assert!(leaves.ends().success());
    assert!(leaves.complaints().contains("the client left before the end of its first line"));
    let start = Instant::now();
    let answer = waits.answer();
    assert_eq!(answer["error"]["message"], "the first line did not come within 10 s");
    assert!(start.elapsed() < Duration::from_secs(12));
    assert!(waits.ends().success());
}

#[test]
fn without_a_socket_it_says_who_starts_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_borg-plugin-host"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("borg-plugin-host: standard input is no Unix socket ("), "{said}");
    let output = Command::new(env!("CARGO_BIN_EXE_borg-plugin-host")).arg("--netwrk").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_plugin_that_reads_slowly_meets_no_time_limit_of_the_socket() {
    let setup = Setup::new(&[]);
    setup.program("waits", "#!/bin/sh\necho $$\nread line\necho \"$line\"\n");
    let mut host = setup.host(&[]);
    host.run("waits");
    std::thread::sleep(Duration::from_millis(10_500));
    host.ask(&json!("still here").to_string());
    assert_eq!(host.answer(), "still here");
}
