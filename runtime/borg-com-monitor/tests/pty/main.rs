//! The program on pseudo-terminals in the place of serial ports.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

mod follow;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use borg_mcp::testing::Client;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use serde_json::{Value, json};

struct Running {
    child: Child,
    lines: Receiver<String>,
    folder: tempfile::TempDir,
}

impl Running {
    /// Starts it on every `port-*` of a fresh folder.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.json");
        let glob = folder.path().join("port-*");
        let text = format!(r#"{{"ports": [{{"device": "{}", "baud": 9600}}]}}"#, glob.display());
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_borg-com-monitor"))
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Running { child, lines, folder }
    }

    fn port(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Reads until a line contains `part`.
    fn wait_for(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(15)).unwrap_or_else(|e| panic!("{part}: {e}"));
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pty(link: &Path) -> PtyMaster {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    symlink(ptsname_r(&master).unwrap(), link).unwrap();
    master
}

#[test]
fn lines_are_written_and_a_port_may_come_go_and_come_back() {
    let running = Running::start();
    let link = running.port("port-a");
    let mut master = pty(&link);
    running.wait_for("listening at 9600 baud");
    master.write_all(b"temperature 21\r\n\xff\nlogin: ").unwrap();
    let first = running.wait_for("temperature");
    // Both clocks, the port, the text.
    assert!(first.contains("Z ") && first.ends_with(&format!(" {}: temperature 21", link.display())), "{first}");
    running.wait_for(": \\xff");
    running.wait_for(": login: ");

    std::fs::remove_file(&link).unwrap();
    drop(master);
    running.wait_for("gone");
    let mut again = pty(&link);
    running.wait_for("listening");
    again.write_all(b"back\n").unwrap();
    running.wait_for(": back");
}

#[test]
fn without_a_port_it_idles_until_it_is_told_to_end() {
    let mut running = Running::start();
    std::thread::sleep(Duration::from_millis(300));
    assert!(running.child.try_wait().unwrap().is_none(), "it ended without a port");
    let id = nix::unistd::Pid::from_raw(i32::try_from(running.child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(running.child.wait().unwrap().success());
}

#[test]
fn a_bad_configuration_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"ports\": [],\n \"port\": 1}").unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_borg-com-monitor")).arg("--config").arg(file.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("unknown field `port`, expected one of `ports`") && stderr.contains("line 2"), "{stderr}");
}

/// A client that started the program.
fn client(config: &Value, folder: &Path) -> Client {
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_borg-com-monitor"));
    let client = Client::start(command.arg("--config").arg(path).arg("--stdio"));
    assert_eq!(client.hello["serverInfo"]["name"], "borg-com-monitor");
    client
}

/// Waits until a port is read.
fn wait_for_port(client: &mut Client) {
    for _ in 0..100 {
        if client.call("list_ports", &json!({})).to_string().contains("\"listening\":true") {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no port is read");
}

#[test]
fn a_client_reads_waits_searches_and_writes() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("port");
    let mut master = pty(&link);
    let port = link.display().to_string();
    let config = json!({
        "ports": [{ "device": port, "write": true, "line_ending": "crlf" }],
        "files": { "folder": folder.path(), "max_size": 100, "keep": 1 },
    });
    let mut client = client(&config, folder.path());
    wait_for_port(&mut client);
    master.write_all(b"one\r\ntwo\r\n").unwrap();
    let read = client.call("read_lines", &json!({ "since": 0, "wait": 10 }));
    let first = &read["structuredContent"]["lines"][0];
    assert_eq!((&first["text"], first["cursor"].is_u64()), (&"one".into(), true), "{read}");
    // Each line is handed out as soon as it is there: the second may come later.
    let read = client.call("read_lines", &json!({ "since": first["cursor"], "wait": 10 }));
    assert_eq!(read["structuredContent"]["lines"][0]["text"], "two", "{read}");
    let found = client.call("search_lines", &json!({ "pattern": "^t" }));
    assert_eq!(found["structuredContent"]["lines"][0]["text"], "two", "{found}");
    let written = client.call("write_line", &json!({ "port": port, "text": "AT", "ending": "cr" }));
    assert_eq!(written["structuredContent"]["written"], 3, "{written}");
    let mut bytes = [0; 3];
    std::io::Read::read_exact(&mut master, &mut bytes).unwrap();
    assert_eq!(&bytes, b"AT\r");
    let status = client.call("port_status", &json!({ "port": port }));
    assert_eq!(status["structuredContent"]["bytes"], 10, "{status}");
    let rate = |what: &str| status["structuredContent"]["per_second"][what].as_f64().unwrap();
    assert!(rate("bytes") > 0.0 && rate("bytes") <= 10.0 && rate("lines") > 0.0 && rate("lines") <= 2.0, "{status}");
    let shown = client.ask("resources/read", &json!({ "uri": format!("serial://{port}") }));
    assert!(shown["contents"][0]["text"].as_str().unwrap().ends_with(": two\n"), "{shown}");
    let is_log = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().contains(".log");
    // The files are written beside what answers.
    for _ in 0..100 {
        if std::fs::read_dir(folder.path()).unwrap().flatten().any(is_log) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no file was written");
}

#[test]
fn no_byte_is_lost_when_nobody_reads_what_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut master = pty(&folder.path().join("port"));
    let config = folder.path().join("config.json");
    let device = folder.path().join("port");
    let files = folder.path().join("logs");
    std::fs::create_dir(&files).unwrap();
    let text = format!(
        r#"{{"ports": [{{"device": "{}"}}], "files": {{"folder": "{}", "max_size": 100000000, "keep": 1}}}}"#,
        device.display(),
        files.display()
    );
    std::fs::write(&config, text).unwrap();
    // Standard output is a pipe that is never read, and full soon.
    let mut command = Command::new(env!("CARGO_BIN_EXE_borg-com-monitor"));
    let mut child = command.arg("--config").arg(config).stdout(Stdio::piped()).spawn().unwrap();
    let _held = child.stdout.take();
    std::thread::sleep(Duration::from_millis(1500));
    let writer = std::thread::spawn(move || {
        for number in 0..20_000 {
            writeln!(master, "{number:05} {}", "x".repeat(40)).unwrap();
        }
        master
    });
    // The port is read to its end although the journal stands still.
    let begin = std::time::Instant::now();
    while !writer.is_finished() {
        assert!(begin.elapsed() < Duration::from_mins(1), "the port is not read while the journal stands still");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(writer.join().unwrap());
    let all = || {
        let entries = std::fs::read_dir(&files).unwrap().flatten();
        entries.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect::<String>()
    };
    while all().lines().count() < 20_000 {
        assert!(begin.elapsed() < Duration::from_mins(1), "{} lines", all().lines().count());
        std::thread::sleep(Duration::from_millis(50));
    }
    for (number, line) in all().lines().enumerate() {
        assert!(line.ends_with(&format!(": {number:05} {}", "x".repeat(40))), "{line}");
    }
    let _ = child.kill();
    let _ = child.wait();
}
