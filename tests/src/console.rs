//! A person at the serial console of a booted image.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::Bench;

/// `borg-compose boot` with its terminal in the test's hands. The machine is switched off when this is dropped.
#[derive(Debug)]
pub struct Console {
    child: Child,
    keys: ChildStdin,
    seen: Arc<Mutex<String>>,
    /// Bytes of `seen` that `expect` is done with.
    read: usize,
}

impl Console {
    pub fn boot(bench: &Bench, profile: &Path, more: &[&str]) -> Self {
        let out = bench.folder.join("out");
        let args = ["boot", "--profile", profile.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let mut command = bench.command(&[&args, more].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        listen(child.stdout.take().unwrap(), &seen);
        listen(child.stderr.take().unwrap(), &seen);
        let keys = child.stdin.take().unwrap();
        Console { child, keys, seen, read: 0 }
    }

    /// Waits for a text that was not waited for yet; answers with what came before it.
    pub fn expect(&mut self, text: &str, seconds: u64) -> String {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let seen = self.seen.lock().unwrap();
            if let Some(place) = seen[self.read..].find(text) {
                let before = seen[self.read..self.read + place].to_owned();
                self.read += place + text.len();
                return before;
            }
            drop(seen);
            std::thread::sleep(Duration::from_millis(50));
        }
        let rest = self.seen.lock().unwrap()[self.read..].to_owned();
        panic!("`{text}` did not come in {seconds} s:\n{rest}");
    }

    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Runs a command in the shell at the prompt; answers with its output.
    pub fn run(&mut self, command: &str) -> String {
        self.run_within(command, 60)
    }

    /// The same for a command that may take this long.
    pub fn run_within(&mut self, command: &str, seconds: u64) -> String {
        // The marks are put together by the shell, so that the echo of the line is not taken for them.
        self.send(&format!("echo be''gin; {command}; echo en''d\n"));
        self.expect("begin\r\n", 60);
        self.expect("end\r\n", seconds).replace('\r', "")
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.keys.write_all(b"\x01x");
        let _ = self.keys.flush();
        for _ in 0..50 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(mut from: impl Read + Send + 'static, seen: &Arc<Mutex<String>>) {
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(got @ 1..) = from.read(&mut buffer) {
            seen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..got]));
        }
    });
}
