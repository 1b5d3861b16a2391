//! Work without root: a worker enters a user namespace in which its user is root and has the subordinate ids.
//!
//! The maps are written from outside, by the host's newuidmap and newgidmap: a worker starts a process that stays outside
//! and waits until the worker has left.

use std::fs;
use std::io::Read;
use std::path::Path;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;

use super::process::Run;
use super::rights::{Ground, Lack, Person};
use crate::error::{IoContext, Result};
use crate::{Error, Kind};

/// The whole range of ids: what a process outside of any user namespace sees as its map.
const EVERY_ID: [&str; 3] = ["0", "0", "4294967295"];

/// The first kernel whose tmpfs keeps user attributes, which an overlay in a user namespace needs.
const TMPFS_ATTRIBUTES: (u32, u32) = (6, 6);

/// True if workers must enter a user namespace.
pub fn needed() -> bool {
    !geteuid().is_root()
}

/// True in a user namespace, be it a worker's or a container's: overlays keep their marks in user attributes here.
pub fn inside() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !map.split_whitespace().eq(EVERY_ID))
}

/// Fails at once, with the way out, where a worker could not be started later.
pub fn check() -> Result<()> {
    if needed() {
        Person::of_process().maps().map_err(|lacks| cannot(&lacks))?;
    }
    Ok(())
}

fn cannot(lacks: &[Lack]) -> Error {
    let what: Vec<&str> = lacks.iter().map(|lack| lack.what.as_str()).collect();
    let mend: Vec<&str> = lacks.iter().map(|lack| lack.mend.as_str()).collect();
    Error::host(format!("this user cannot build: {}", what.join("; ")))
        .help(format!("{}. `borg-compose doctor` looks at the rest", mend.join("; ")))
}

/// Leaves the host's user namespace. Until its maps are written, nothing can be done in the new one.
pub fn leave() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|e| Error::host("cannot make a user namespace").because(&e).help(Ground::here().way_out()))
}

/// Waits for `left`, which ends with the word that the process has left, and writes its maps.
pub fn write_maps(process: &str, mut left: impl Read) -> Result<()> {
    let mut word = Vec::new();
    left.read_to_end(&mut word).at("read", Path::new("a pipe"))?;
    if word.is_empty() {
        return Ok(());
    }
    for map in Person::of_process().maps().map_err(|lacks| cannot(&lacks))? {
        let said = tempfile::NamedTempFile::new().at("create a file in", &std::env::temp_dir())?;
        let tool = map.tool.display().to_string();
        let run = Run::new(&tool).arg(process).args(map.words).log(said.path()).failing_as(Kind::Host);
        run.run().map_err(|e| e.help(refused()))?;
    }
    Ok(())
}

fn refused() -> String {
    let container = "in a container, the ids of /etc/subuid must be among its own, and it must keep CAP_SETUID and CAP_SETGID: \
                     start it with --userns=host and without --cap-drop";
    format!("the file system of newuidmap must not be mounted nosuid; {container}; or run as root")
}

/// Whether overlays can lie on a tmpfs: in a user namespace they need user attributes there.
pub fn memory_will_do() -> bool {
    if !needed() && !inside() {
        return true;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    version(&release).is_some_and(|version| version >= TMPFS_ATTRIBUTES)
}

/// Fails if overlays cannot lie in this folder.
pub fn check_disk(folder: &Path) -> Result<()> {
    const NAME: &str = "user.borg-compose";
    if !needed() && !inside() {
        return Ok(());
    }
    xattr::set(folder, NAME, b"").and_then(|()| xattr::remove(folder, NAME)).map_err(|e| {
        Error::host(format!("the file system of {} keeps no user attributes", folder.display()))
            .because(&e)
            .help("without root a build needs them: choose another one with --store, or run as root")
    })
}

/// Major and minor number of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernels_version_is_read_from_its_release() {
        assert_eq!(version("6.1.0-30-amd64\n"), Some((6, 1)));
        assert_eq!(version("6.12.118+deb13-amd64"), Some((6, 12)));
        assert!(version("6.6-rc1") >= Some(TMPFS_ATTRIBUTES) && version("5.15.0") < Some(TMPFS_ATTRIBUTES));
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn nothing_is_written_for_a_process_that_did_not_leave() {
        write_maps("1", std::io::empty()).unwrap();
    }
}
