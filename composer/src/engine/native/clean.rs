//! Removing what differs between two otherwise equal builds, and what no image should carry.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{IoContext, Result};

/// Files that hold secrets, host facts, times or caches; each is made again on the device if it is needed.
const FILES: [&str; 20] = [
    "etc/.pwd.lock",
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    "etc/machine-id",
    "etc/aliases.db",
    "etc/ssl/private/ssl-cert-snakeoil.key",
    "etc/ssl/certs/ssl-cert-snakeoil.pem",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/available-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/lock",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/cache/ldconfig/aux-cache",
];

/// Folders whose content goes and that stay themselves.
const FOLDERS: [&str; 6] = ["var/cache/apt", "var/lib/apt/lists", "var/tmp", "var/lib/dpkg/updates", "tmp", "run"];

/// Folders in which files with these endings go.
const ENDINGS: [(&str, &str, &str); 5] = [
    ("etc/ssh", "ssh_host_", "_key"),
    ("etc/ssh", "ssh_host_", ".pub"),
    ("var/cache/debconf", "", "-old"),
    ("boot", "initrd.img-", ""),
    ("var/lib/dpkg", "lock", ""),
];

pub fn clean(root: &Path) -> Result<()> {
    for name in FILES {
        remove(&root.join(name))?;
    }
    for (folder, start, end) in ENDINGS {
        each(
            &root.join(folder),
            |path, name| if name.starts_with(start) && name.ends_with(end) { remove(path) } else { Ok(()) },
        )?;
    }
    for folder in FOLDERS {
        each(&root.join(folder), |path, _| remove_all(path))?;
    }
    logs(&root.join("var/log"))?;
    // systemd reads an empty machine-id as "to be made at this boot"; a missing one would make each boot a first boot.
    let machine_id = root.join("etc/machine-id");
    fs::write(&machine_id, "").at("write", &machine_id)
}

/// Log files go, the folders that packages made for theirs stay.
fn logs(folder: &Path) -> Result<()> {
    each(folder, |path, _| {
        let kind = fs::symlink_metadata(path).at("read", path)?;
        if kind.is_dir() { logs(path) } else { remove(path) }
    })
}

fn each(folder: &Path, mut act: impl FnMut(&Path, &str) -> Result<()>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).at("read", folder),
    };
    for entry in entries {
        let entry = entry.at("read", folder)?;
        act(&entry.path(), &entry.file_name().to_string_lossy())?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).at("remove", path),
        _ => Ok(()),
    }
}

fn remove_all(path: &Path) -> Result<()> {
    let kind = fs::symlink_metadata(path).at("read", path)?;
    if kind.is_dir() { fs::remove_dir_all(path).at("remove", path) } else { remove(path) }
}
