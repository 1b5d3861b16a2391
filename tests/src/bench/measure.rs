//! A whole process and its children: how long, how much memory at most, how many bytes to the disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::unistd::sync;

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    pub seconds: f64,
    /// Bytes at the highest moment, files in memory and the page cache included; none where the kernel does not say.
    pub peak: Option<u64>,
    /// Bytes that went to the disk, those still to be written at the end included; the whole machine's.
    pub written: Option<u64>,
}

/// A control group of its own for one run; gone when this is dropped.
struct Group {
    folder: PathBuf,
    peak: &'static str,
    limit: &'static str,
}

impl Group {
    fn new() -> Option<Self> {
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let (parent, peak, limit) = if v1.is_dir() {
            (v1, "memory.max_usage_in_bytes", "memory.limit_in_bytes")
        } else {
            (Path::new("/sys/fs/cgroup"), "memory.peak", "memory.max")
        };
        let folder = parent.join(format!("borg-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).ok()?;
        Some(Group { folder, peak, limit })
    }

    fn peak(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join(self.peak)).ok()?.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Sectors of 512 bytes that the disk below this folder has been given (Documentation/block/stat.rst).
fn sectors(folder: &Path) -> Option<u64> {
    let device = fs::metadata(folder).ok()?.dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    stat.split_whitespace().nth(6)?.parse().ok()
}

/// Runs a command to its end, with at most `limit` bytes of memory if that is given; what it says goes to `log`.
///
/// # Errors
/// The command's exit status, if it is not 0.
pub fn measure(command: &Command, log: &Path, limit: Option<u64>) -> Result<Figure, String> {
    let group = Group::new();
    if let (Some(group), Some(limit)) = (&group, limit) {
        fs::write(group.folder.join(group.limit), limit.to_string()).map_err(|e| e.to_string())?;
    }
    // A shell that has joined the group becomes the command.
    let join = "[ -z \"$1\" ] || echo 0 >\"$1/cgroup.procs\"; shift; exec \"$@\"";
    let folder = group.as_ref().map(|group| group.folder.clone()).unwrap_or_default();
    let mut inside = Command::new("sh");
    inside.args(["-c", join, "sh"]).arg(folder).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => inside.env(name, value),
            None => inside.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        inside.current_dir(folder);
    }
    let file = fs::File::options().create(true).append(true).open(log).unwrap();
    inside.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    sync();
    let (before, start) = (sectors(log), Instant::now());
    let status = inside.status().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    sync();
    let written = before.zip(sectors(log)).map(|(before, after)| 512 * (after - before));
    let peak = group.as_ref().and_then(Group::peak);
    if status.success() { Ok(Figure { seconds, peak, written }) } else { Err(status.to_string()) }
}
