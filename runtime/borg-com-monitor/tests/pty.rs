//! The program on pseudo-terminals in the place of serial ports.
// clippy takes helpers outside of `#[test]` for ordinary code.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

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
    assert!(first.ends_with(&format!("Z {}: temperature 21", link.display())), "{first}");
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
    assert!(stderr.contains("unknown field `port`, expected `ports` at line 2"), "{stderr}");
}
