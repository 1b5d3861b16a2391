//! A Debian system beside the host's, in which commands run as if the machine had been installed so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a folder the root of a mount namespace of its own; what is mounted goes with the command.
/// Arguments: the folder, the folder to work in, then pairs of a place and where it is seen, `--`, and the command.
const ENTER: &str = r#"set -e
root=$1
mount --bind "$root" "$root"
mkdir -p "$root/.host"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs run "$root/run"
folder=$2
shift 2
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    shift 2
done
shift
cd "$root"
pivot_root . .host
umount -l .host
cd "$folder"
exec "$@""#;

#[derive(Debug)]
pub struct Userland {
    pub root: PathBuf,
}

impl Userland {
    /// Makes a system of this suite with these packages, unless it is there.
    pub fn new(root: &Path, suite: &str, packages: &str, mirror: &str, log: &Path) -> Self {
        if !root.is_dir() {
            let partial = root.with_extension("partial");
            let _ = fs::remove_dir_all(&partial);
            let mut command = Command::new("mmdebstrap");
            command.args(["--mode=root", "--variant=apt", &format!("--include={packages}"), suite]);
            let output = command.arg(&partial).arg(mirror).output().unwrap();
            fs::write(log, &output.stderr).unwrap();
            assert!(output.status.success(), "mmdebstrap: see {}", log.display());
            fs::rename(&partial, root).unwrap();
        }
        Userland { root: root.to_owned() }
    }

    /// A command that runs in a folder of the system, with places of the host seen there, and nothing of the tester's
    /// environment.
    pub fn command(&self, folder: &str, binds: &[(&Path, &str)], program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--ipc", "--fork", "--kill-child", "--propagation", "private"]);
        command.args(["sh", "-c", ENTER, "sh"]).arg(&self.root).arg(folder);
        for (place, seen) in binds {
            command.arg(place).arg(seen);
        }
        command.args(["--", program]).env_clear();
        command.envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C.UTF-8"), ("HOME", "/root")]);
        command
    }
}
