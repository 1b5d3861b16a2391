//! A process and what it starts, which end together.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};

/// All that a plugin finds in its environment.
const ENVIRONMENT: [(&str, &str); 4] =
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8"), ("HOME", "/tmp"), ("PYTHONDONTWRITEBYTECODE", "1")];

/// A process in a group of its own. The group is killed when this is dropped; what left the group, systemd kills when this
/// program ends, which is soon after.
pub struct Group(Child);

impl Group {
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let started = command.env_clear().envs(ENVIRONMENT).process_group(0).spawn();
        started.map(Group).map_err(|e| format!("cannot start {}: {e}", command.get_program().to_string_lossy()))
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Its standard output, once, if that is a pipe.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// To be polled: readable when the process has ended.
    pub fn end(&self) -> io::Result<OwnedFd> {
        Ok(pidfd_open(self.id(), PidfdFlags::empty())?)
    }

    /// How the process ended; nothing while it runs. Its number stays taken, so that the right group is killed.
    pub fn status(&self) -> Option<String> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::Pid(self.id()), options).ok()??;
        let exited = status.exit_status().map(|status| format!("exit status {status}"));
        exited.or_else(|| status.terminating_signal().map(|signal| format!("signal {signal}")))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(self.id(), Signal::KILL);
        let _ = self.0.wait();
    }
}
