//! A folder of plugins, and a host with a client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder of plugins with its configuration.
pub struct Setup(TempDir);

impl Setup {
    /// With these files in the folder of plugins; each can be executed, which harms none.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let setup = Setup(tempfile::tempdir().unwrap());
        std::fs::create_dir(setup.plugins()).unwrap();
        setup.grant(&json!({}));
        for (name, text) in files {
            setup.write(name, text);
        }
        setup
    }

    pub fn plugins(&self) -> PathBuf {
        self.0.path().join("plugins")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.plugins().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// A program of the plugin `name`, which is a folder.
    pub fn program(&self, name: &str, script: &str) {
        self.write(&format!("{name}/plugin.json"), r#"{"command": ["./run", "-x"]}"#);
        self.write(&format!("{name}/run"), script);
    }

    pub fn grant(&self, grants: &Value) {
        let config = json!({"folder": self.plugins(), "grants": grants});
        std::fs::write(self.0.path().join("plugins.json"), config.to_string()).unwrap();
    }

    /// A host that runs Python plugins with the package as it is shipped.
    pub fn host(&self, args: &[&str]) -> Host {
        self.host_with(&Path::new(env!("CARGO_MANIFEST_DIR")).join("python/borg_run.py"), args)
    }

    pub fn host_with(&self, runner: &Path, args: &[&str]) -> Host {
        let (client, server) = UnixStream::pair().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_borg-plugin-host"));
        command.arg("--plugins-config").arg(self.0.path().join("plugins.json"));
        command.arg("--runner").arg(runner).args(args).env("SECRET", "1").stderr(Stdio::piped());
        command.stdin(OwnedFd::from(server.try_clone().unwrap())).stdout(OwnedFd::from(server));
        let child = command.spawn().unwrap();
        Host { child, client: BufReader::new(client) }
    }

    /// What the host answers to a single line.
    pub fn answer(&self, args: &[&str], request: &Value) -> Value {
        let mut host = self.host(args);
        host.ask(&request.to_string());
        let answer = host.answer();
        assert!(host.ends().success());
        answer
    }
}

/// A host, and the client's end of its connection.
pub struct Host {
    pub child: Child,
    pub client: BufReader<UnixStream>,
}

impl Host {
    /// Sends lines at once.
    pub fn ask(&mut self, lines: &str) {
        self.client.get_mut().write_all(format!("{lines}\n").as_bytes()).unwrap();
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.client.read_line(&mut line).unwrap();
        line
    }

    pub fn answer(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Starts `name` and gives the processes whose numbers it prints in its first line.
    pub fn run(&mut self, name: &str) -> Vec<u32> {
        self.ask(&json!({"run": {"name": name}}).to_string());
        self.line().split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    /// Leaves, as a client does that ends.
    pub fn leave(&self) {
        self.client.get_ref().shutdown(Shutdown::Both).unwrap();
    }

    /// How it ended, within a second.
    pub fn ends(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the host does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it said to the journal, once it ended.
    pub fn complaints(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// The most memory that it had, in KiB.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Nobody is to be left when a test fails.
impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.client.get_ref().shutdown(Shutdown::Both);
        let _ = self.child.wait();
    }
}

/// Whether the process is gone within a second, or only waits for its parent to ask how it ended.
pub fn dies(process: u32) -> bool {
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        if !lives(process) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

pub fn lives(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}
