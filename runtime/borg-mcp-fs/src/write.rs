//! Writing files. A file is replaced as a whole or not at all, and keeps its mode, owner and extended attributes.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use cap_std::fs::{Dir, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};

use crate::answer::FILE_LIMIT;
use crate::fault::Fault;
use crate::place::Place;
use crate::roots::{Roots, no_file};

pub fn file(roots: &Roots, path: &str, content: &str, until: Instant) -> Result<String, Fault> {
    let place = roots.place(path, true)?;
    let old = existing(&place, path)?;
    replace(&place, content.as_bytes(), old, path, until)?;
    Ok(format!("Successfully wrote to {path}"))
}

/// The file that is to be replaced, opened as if to write into it: what could not be written must not be replaced.
pub fn existing(place: &Place<'_>, path: &str) -> Result<Option<File>, Fault> {
    let fault = |e: io::Error| Fault::io(path, &e);
    let Some(metadata) = place.metadata().map_err(fault)? else { return Ok(None) };
    if !metadata.is_file() {
        return Err(no_file(path, metadata.file_type()));
    }
    let file = place
        .dir
        .open_with(&place.name, OpenOptions::new().read(true).write(true).custom_flags(CALM))
        .map_err(fault)?;
    if !file.metadata().map_err(fault)?.is_file() {
        return Err(changed(path));
    }
    Ok(Some(file))
}

/// No link at the end, no waiting for a pipe, no terminal.
const CALM: i32 = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).bits().cast_signed();

fn changed(path: &str) -> Fault {
    Fault::new(format!("{path}: changed by another program meanwhile; read it again"))
}

/// Puts a new file with `content` where `old` is, or where nothing is.
pub fn replace(place: &Place<'_>, content: &[u8], old: Option<File>, path: &str, until: Instant) -> Result<(), Fault> {
    let fault = |e: io::Error| Fault::io(path, &e);
    if content.len() as u64 > FILE_LIMIT {
        return Err(Fault::new(format!(
            "{path}: {} bytes are more than the {FILE_LIMIT} written at once",
            content.len()
        )));
    }
    let old = old.map(|file| Ok((file.metadata()?, file))).transpose().map_err(fault)?;
    let old_size = old.as_ref().map_or(0, |(metadata, _)| metadata.len());
    if let Some(quota) = &place.root.quota {
        quota.agree(&place.root.dir, old_size, content.len() as u64, until)?;
    }
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let name = temporary_name().map_err(fault)?;
    let (file, named) = temporary(&place.dir, &name, mode).map_err(fault)?;
    let written = fill(&file, content, old.as_ref(), path)
        .and_then(|()| if named { Ok(()) } else { link(&file, &place.dir, &name).map_err(fault) })
        .and_then(|()| settle(place, &name, old.as_ref(), path));
    if written.is_err() {
        // The first fault is the one to tell of.
        let _ = place.dir.remove_file(&name);
    }
    written
}

/// Beside the file that it becomes; the name is new, whatever is there.
fn temporary_name() -> io::Result<OsString> {
    let mut random = [0; 12];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    Ok(OsString::from(format!(".borg-mcp-fs.{}.tmp", hex::encode(random))))
}

/// A new file, and whether it has its name yet: one without is gone with us, should we be killed while we fill it.
fn temporary(dir: &Dir, name: &OsStr, mode: u32) -> io::Result<(File, bool)> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::openat(dir, ".", flags, Mode::from_raw_mode(mode)) {
        return Ok((File::from_std(file.into()), false));
    }
    // Not every file system can.
    let file = dir.open_with(name, OpenOptions::new().write(true).create_new(true).mode(mode))?;
    Ok((file, true))
}

/// Gives a file its first name. The path is our own descriptor's, the one way to name it without privileges.
fn link(file: &File, dir: &Dir, name: &OsStr) -> io::Result<()> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(rustix::fs::CWD, own, dir, name, AtFlags::SYMLINK_FOLLOW)?)
}

fn fill(mut file: &File, content: &[u8], old: Option<&(Metadata, File)>, path: &str) -> Result<(), Fault> {
    let fault = |e: io::Error| Fault::io(path, &e);
    file.write_all(content).map_err(fault)?;
    if let Some((old, handle)) = old {
        keep_owner(file, old, path)?;
        keep_attributes(file, handle);
        // After the owner, whose change drops bits; set-user-ID is dropped as by any other write.
        file.set_permissions(Permissions::from_mode(old.mode() & 0o777)).map_err(fault)?;
    }
    file.sync_all().map_err(fault)
}

/// What the kernel drops or checks when a file is written to.
const OF_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];

fn keep_owner(file: &File, old: &Metadata, path: &str) -> Result<(), Fault> {
    let new = file.metadata().map_err(|e| Fault::io(path, &e))?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
    rustix::fs::fchown(file.as_fd(), Some(uid), Some(gid)).map_err(|_| {
        let (uid, gid) = (old.uid(), old.gid());
        Fault::new(format!("{path}: belongs to user {uid} and group {gid}, which a new file here cannot be given; append_file changes it in place"))
    })
}

/// Access lists and the like. What the file system or the kernel does not let us set is left out: a security label is
/// given by policy. Rights and signatures were those of the old content.
fn keep_attributes(file: &File, old: &File) {
    let mut names = vec![0; 64 * 1024];
    let Ok(length) = rustix::fs::flistxattr(old, &mut names) else { return };
    let mut value = vec![0; 64 * 1024];
    for name in names
        .get(..length)
        .unwrap_or_default()
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty() && !OF_CONTENT.contains(name))
    {
        let name = std::os::unix::ffi::OsStrExt::from_bytes(name);
        let name: &OsStr = name;
        if let Ok(size) = rustix::fs::fgetxattr(old, name, &mut value) {
            let flags = rustix::fs::XattrFlags::empty();
            let _ = rustix::fs::fsetxattr(file, name, value.get(..size).unwrap_or_default(), flags);
        }
    }
}

/// Gives the new file its name, if what is there is still what was seen.
fn settle(place: &Place<'_>, name: &OsStr, old: Option<&(Metadata, File)>, path: &str) -> Result<(), Fault> {
    let fault = |e: io::Error| Fault::io(path, &e);
    let Some((old, _)) = old else {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        return match rustix::fs::renameat_with(&place.dir, name, &place.dir, &place.name, flags) {
            Ok(()) => place.sync().map_err(fault),
            Err(rustix::io::Errno::EXIST) => Err(changed(path)),
            // A file system without this flag: a network's, or FUSE.
            Err(rustix::io::Errno::INVAL) => rename(place, name).map_err(fault),
            Err(e) => Err(fault(e.into())),
        };
    };
    let stamp = |m: &Metadata| (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec());
    if place.metadata().map_err(fault)?.is_none_or(|now| stamp(&now) != stamp(old)) {
        return Err(changed(path));
    }
    rename(place, name).map_err(fault)
}

fn rename(place: &Place<'_>, name: &OsStr) -> io::Result<()> {
    place.dir.rename(name, &place.dir, &place.name)?;
    place.sync()
}

/// Adds to the end, in place: a log may be large, and may be open elsewhere.
pub fn append(roots: &Roots, path: &str, content: &str, until: Instant) -> Result<String, Fault> {
    let fault = |e: io::Error| Fault::io(path, &e);
    let place = roots.place(path, true)?;
    if let Some(there) = place.metadata().map_err(fault)?.filter(|there| !there.is_file()) {
        return Err(no_file(path, there.file_type()));
    }
    if let Some(quota) = &place.root.quota {
        quota.agree(&place.root.dir, 0, content.len() as u64, until)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o666).custom_flags(CALM);
    let mut file = place.dir.open_with(&place.name, &options).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    if !metadata.is_file() {
        return Err(changed(path));
    }
    if metadata.nlink() > 1 {
        return Err(Fault::new(format!(
            "{path}: has other names (hard links), maybe outside allowed directories, and would change there too; \
             write_file replaces it under this name only"
        )));
    }
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
    Ok(format!("Successfully appended to {path}"))
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
