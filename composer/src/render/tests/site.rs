//! The rendered site on a test machine: paths and ports of its own, and nginx serving it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::INCLUDES;
use super::contracts::{silent, written};
use super::*;

/// The rendered files, made fit for a machine that is not the image.
pub(super) struct Site {
    folder: tempfile::TempDir,
    pub(super) http: u16,
    pub(super) https: u16,
}

impl Site {
    pub(super) fn new(spec: &ImageSpec) -> Self {
        let [http, https] = free_ports();
        let site = Site { folder: written(spec), http, https };
        site.make_certificate();
        let state = site.state();
        let log = site.path("access.log");
        let mut text = fs::read_to_string(site.config()).unwrap();
        for (there, here) in [
            ("pid /run/nginx.pid;", "pid nginx.pid;".to_owned()),
            ("include /etc/nginx/modules-enabled/*.conf;", String::new()),
            ("/var/lib/borg/nginx", state.display().to_string()),
            ("access_log syslog:server=unix:/dev/log,nohostname", format!("access_log {}", log.display())),
            ("error_log syslog:server=unix:/dev/log,nohostname", format!("error_log {}", log.display())),
            ("listen 80 ", format!("listen 127.0.0.1:{} ", site.http)),
            ("listen 443 ", format!("listen 127.0.0.1:{} ", site.https)),
        ] {
            text = text.replace(there, &here);
        }
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("listen [::]:")).collect();
        fs::write(site.config(), lines.join("\n") + "\n").unwrap();
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn image(&self, path: &str) -> PathBuf {
        self.folder.path().join(INCLUDES).join(path)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.image("etc/nginx/nginx.conf")
    }

    /// What is /var/lib/borg/nginx on a device.
    pub(super) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Does what the unit says, if there is one.
    fn make_certificate(&self) {
        fs::create_dir(self.state()).unwrap();
        let Ok(unit) = fs::read_to_string(self.image("etc/systemd/system/borg-nginx-certificate.service")) else {
            return;
        };
        let config = self.image("usr/lib/borg/nginx-certificate.cnf").display().to_string();
        for line in unit.lines().filter_map(|line| line.strip_prefix("ExecStart=")) {
            let argv = shlex::split(line).unwrap().into_iter().map(|word| match word.as_str() {
                "/usr/lib/borg/nginx-certificate.cnf" => config.clone(),
                _ => word,
            });
            // The unit's UMask=.
            let mut command = Command::new("sh");
            command.args(["-c", "umask 077 && exec \"$@\"", "sh"]).args(argv).current_dir(self.state());
            assert!(command.stderr(Stdio::null()).status().unwrap().success(), "{line}");
        }
    }

    pub(super) fn check(&self) {
        let (prefix, config) = (self.folder.path().to_str().unwrap().to_owned(), self.config());
        silent("nginx", &["-t", "-q", "-e", "stderr", "-p", &prefix, "-c", config.to_str().unwrap()]);
    }
}

/// Taken together, so that they are two.
fn free_ports() -> [u16; 2] {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    taken.each_ref().map(|listener| listener.local_addr().unwrap().port())
}

/// nginx, running. It ends with the test.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(site: &Site) -> Self {
        let path = format!("/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap());
        let mut command = Command::new("nginx");
        command.env("PATH", path).arg("-p").arg(site.folder.path()).arg("-c").arg(site.config());
        let running = Running(command.args(["-e", "stderr", "-g", "daemon off;"]).spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", site.https)).is_err() {
            assert!(Instant::now() < end, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}
