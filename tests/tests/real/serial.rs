//! The machine's second serial port, with this host at the other end of the line.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use borg_tests::Bench;
use borg_tests::console::Console;
use borg_tests::real::{bench, build, edge_iot};

use super::console::{log_in_at, write_hash};

/// An image that listens on the second port and writes to it, with a user who may use the tools.
fn image(bench: &Bench) -> PathBuf {
    let users = "users:\n  - {name: op, password_hash_file: op.hash, groups: [borg]}\n";
    let port =
        "  - com-monitor:\n      ports:\n        - {device: /dev/ttyS1, baud: 115200, framing: 8N1, write: true}\n";
    let text = edge_iot("serial", users);
    assert!(text.contains("  - com-monitor\n"), "{text}");
    let profile = bench.profile("serial", &text.replace("  - com-monitor\n", port));
    write_hash(&profile);
    build(bench, &profile, &["--fast"]).exits(0);
    profile
}

/// Runs a command until its output has `part`, which the shell looks for: the console is slow.
fn wait_for(console: &mut Console, command: &str, part: &str) {
    let look = format!("for i in $(seq 90); do {command} 2>&1 | grep -q '{part}' && break; sleep 1; done; {command}");
    let said = console.run_within(&format!("{look} 2>&1 | grep -c '{part}'"), 300);
    if said.trim() == "0" {
        let seen = console.run_within(&format!("{command}; journalctl -n 20 --no-pager -u borg-com-monitor"), 120);
        panic!("`{command}` does not say `{part}`: {seen}");
    }
}

const READ: &str = "borg call read_lines --arg port=/dev/ttyS1 --arg max=1000";

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn what_comes_over_the_line_is_read_and_what_is_written_goes_out() {
    let bench = bench();
    let profile = image(&bench);
    let socket = bench.folder.join("uart.sock");
    let mut console = Console::boot(&bench, &profile, &["--serial", socket.to_str().unwrap()]);
    console.expect("serial login: ", 300);
    log_in_at(&mut console, "serial");
    // What comes before the port is open, nobody keeps.
    wait_for(&mut console, "borg call list_ports", "/dev/ttyS1: listening, 115200 baud");

    let mut line = UnixStream::connect(&socket).unwrap();
    line.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    line.set_write_timeout(Some(Duration::from_mins(1))).unwrap();
    line.write_all(b"temperature 21\r\n\xff\x1b[2J\n").unwrap();
    // As fast as the port takes them.
    for number in 0..500 {
        writeln!(line, "number {number:03} of many").unwrap();
    }
    line.write_all(b"the last\n").unwrap();
    wait_for(&mut console, READ, "/dev/ttyS1: the last");
    let read = console.run_within(&format!("{READ} | head -2; {READ} | grep -c ' of many'"), 120);
    let lines: Vec<&str> = read.lines().collect();
    assert!(lines[0].ends_with(" /dev/ttyS1: temperature 21"), "{read}");
    assert!(lines[1].ends_with(" /dev/ttyS1: \\xff\\u{1b}[2J"), "{read}");
    assert_eq!(lines[2], "500", "{read}");
    let sorted = console.run_within(&format!("{READ} | grep -o 'number [0-9]*' | sort -c -u && echo in order"), 120);
    assert_eq!(sorted, "in order\n");
    let status = console.run_within("borg call port_status --arg port=/dev/ttyS1", 120);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_else(|e| panic!("{e}: {status}"));
    assert_eq!((&status["lines"], &status["framing"]), (&503.into(), &"8N1".into()), "{status}");
    for lost in ["frame_errors", "parity_errors", "overruns", "buffer_overruns"] {
        assert_eq!(status["counts"][lost], 0, "{status}");
    }

    let written = "borg call write_line --arg port=/dev/ttyS1 --arg text=AT --arg ending=crlf";
    assert_eq!(console.run_within(written, 120), "4 bytes written\n");
    let mut bytes = [0; 4];
    line.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"AT\r\n");
}
