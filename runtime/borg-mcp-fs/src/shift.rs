//! Folders made, files moved, and the trash.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::fault::Fault;
use crate::paths::{name_text, path_text};
use crate::place::Place;
use crate::quota;
use crate::roots::Roots;

pub fn make_folder(roots: &Roots, path: &str) -> Result<String, Fault> {
    let located = roots.locate(path)?;
    let root = located.root;
    let done = format!("Successfully created directory {path}");
    if root.dir.metadata(&located.below).is_ok_and(|there| there.is_dir()) {
        return Ok(done);
    }
    root.permit(path)?;
    root.dir.create_dir_all(&located.below).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Fault::new(format!("{path}: is there, and is not a directory")),
        _ => Fault::io(path, &e),
    })?;
    Ok(done)
}

/// Moves what has a name, a symbolic link as itself, to a name that is free.
pub fn rename(roots: &Roots, source: &str, destination: &str, until: Instant) -> Result<String, Fault> {
    let from = roots.place_of(source)?;
    let to = roots.place(destination, false)?;
    if let Some(quota) = to.root.quota.as_ref().filter(|_| !std::ptr::eq(from.root, to.root)) {
        quota.agree(&to.root.dir, 0, size(&from, source, until)?, until)?;
    }
    move_to(&from, &to.dir, &to.name).map_err(|e| match e {
        Errno::EXIST => Fault::new(format!("Destination already exists: {}", path_text(&to.full()))),
        Errno::XDEV => Fault::new(format!("{destination}: lies on another file system; write it there instead")),
        Errno::INVAL => Fault::new(format!("{source}: cannot be moved to {destination}, which may lie within it")),
        _ => Fault::io(source, &e.into()),
    })?;
    from.sync().and_then(|()| to.sync()).map_err(|e| Fault::io(destination, &e))?;
    Ok(format!("Successfully moved {source} to {destination}"))
}

/// The kernel refuses a name that is taken; there is no looking first.
fn move_to(from: &Place<'_>, dir: &Dir, name: &OsString) -> Result<(), Errno> {
    rustix::fs::renameat_with(&from.dir, &from.name, dir, name, RenameFlags::NOREPLACE)
}

fn size(from: &Place<'_>, path: &str, until: Instant) -> Result<u64, Fault> {
    let metadata = from.metadata().map_err(|e| Fault::io(path, &e))?;
    if metadata.as_ref().is_some_and(cap_std::fs::Metadata::is_dir) {
        let dir = from.dir.open_dir(&from.name).map_err(|e| Fault::io(path, &e))?;
        return quota::size(&dir, until);
    }
    Ok(metadata.map_or(0, |metadata| metadata.len()))
}

/// Moves something to the root's trash, laid out as file managers do (freedesktop.org's trash specification, 1.0).
pub fn trash(roots: &Roots, path: &str) -> Result<String, Fault> {
    let from = roots.place_of(path)?;
    let trash = PathBuf::from(format!(".Trash-{}", rustix::process::geteuid().as_raw()));
    if from.below.starts_with(&trash) {
        return Err(Fault::new(format!("{path}: lies in the trash already; move_file takes it out")));
    }
    let fault = |e: io::Error| Fault::io(&path_text(&from.root.full(&trash)), &e);
    let (files, infos) =
        (folder(&from, &trash.join("files")).map_err(fault)?, folder(&from, &trash.join("info")).map_err(fault)?);
    let name = free(&from, &infos).map_err(fault)?;
    let info = info_name(&name);
    if let Err(e) = move_to(&from, &files, &name) {
        let _ = infos.remove_file(&info);
        return Err(Fault::io(path, &e.into()));
    }
    from.sync().map_err(fault)?;
    let place = from.root.full(&trash.join("files").join(&name));
    Ok(format!("Moved {path} to the trash: {}", path_text(&place)))
}

fn folder(from: &Place<'_>, below: &Path) -> io::Result<Dir> {
    let dir = &from.root.dir;
    dir.create_dir_with(below.parent().unwrap_or(below), DirBuilder::new().mode(0o700)).or_else(there)?;
    dir.create_dir_with(below, DirBuilder::new().mode(0o700)).or_else(there)?;
    dir.open_dir(below)
}

fn there(e: io::Error) -> io::Result<()> {
    if e.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(e) }
}

fn info_name(name: &OsString) -> OsString {
    let mut info = name.clone();
    info.push(".trashinfo");
    info
}

/// What the specification's `Path` leaves as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Takes a free name in the trash by writing its note, which comes first so that nothing lies there unexplained.
fn free(from: &Place<'_>, infos: &Dir) -> io::Result<OsString> {
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let path = percent_encode(from.below.as_os_str().as_bytes(), PATH);
    let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S");
    let note = format!("[Trash Info]\nPath={path}\nDeletionDate={date}\n");
    for count in 1..10_000 {
        // A long name would leave no room for the number and the note's ending.
        let short = from.name.len() < 200;
        let name = match (short, count) {
            (true, 1) => from.name.clone(),
            (true, _) => {
                let mut name = from.name.clone();
                name.push(format!(".{count}"));
                name
            }
            (false, _) => {
                OsString::from(format!("{}.{count}", name_text(&from.name).chars().take(40).collect::<String>()))
            }
        };
        match infos.open_with(info_name(&name), OpenOptions::new().write(true).create_new(true)) {
            Ok(mut file) => return file.write_all(note.as_bytes()).map(|()| name),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other("too much of that name lies there already"))
}

#[cfg(test)]
#[path = "shift_tests.rs"]
mod tests;
