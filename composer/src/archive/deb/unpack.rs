//! Unpacks a .deb's data into a folder that is taken as a root: no path and no symlink leads out of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, futimens, mkdirat, mknodat, utimensat,
};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, geteuid, linkat, symlinkat, unlinkat};
use tar::{Entry, EntryType, Header};

use super::{broken, data_tar, invalid};
use crate::error::{IoContext, Result};

/// Unpacks the data of `deb` into `into` with modes, times and links, and with owners when run as root.
///
/// Folders that are there already stay as they are, symlinks to folders too, so that `./bin/sh` lands in `usr/bin`
/// where `bin` is a link to it. Files that are there are replaced. Packages may be unpacked side by side.
pub fn unpack(deb: &Path, into: &Path) -> Result<()> {
    let file = File::open(deb).at("open", deb)?;
    let root = File::open(into).at("open", into)?;
    let mut target = Target::new(root.into());
    data_tar(BufReader::new(file), |tar| target.extract(tar)).map_err(|e| broken(deb, &e))
}

struct Target {
    root: OwnedFd,
    /// The folder of the entry before, since neighbours mostly share it.
    folder: Option<(PathBuf, OwnedFd)>,
    /// Folders made here; their times are set last, when nothing more is put into them.
    made: BTreeMap<PathBuf, i64>,
    chown: bool,
    buffer: Vec<u8>,
}

/// An entry's place: the folder it lies in and its name there.
type Place<'a> = (&'a Path, &'a OsStr);

impl Target {
    fn new(root: OwnedFd) -> Self {
        Target { root, folder: None, made: BTreeMap::new(), chown: geteuid().is_root(), buffer: vec![0; 256 << 10] }
    }

    fn extract(&mut self, tar: &mut dyn Read) -> io::Result<()> {
        let mut archive = tar::Archive::new(tar);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = inside(&entry.path()?)?;
            if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
                self.enter(folder)?;
                self.entry(&mut entry, (folder, name)).map_err(|e| at(&path, &e))?;
            }
        }
        self.set_folder_times()
    }

    fn entry(&mut self, entry: &mut Entry<'_, &mut dyn Read>, place: Place<'_>) -> io::Result<()> {
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => self.file(entry, place.1),
            EntryType::Directory => self.make_folder(entry.header(), place),
            EntryType::Symlink => self.symlink(entry, place.1),
            EntryType::Link => self.hardlink(entry, place),
            EntryType::Fifo => self.fifo(entry.header(), place.1),
            other => Err(invalid(&format!("an entry of type {other:?}, which packages do not have"))),
        }
    }

    /// Opens `folder` inside the root, making it if a package left it out.
    fn enter(&mut self, folder: &Path) -> io::Result<()> {
        if self.folder.as_ref().is_some_and(|(path, _)| path == folder) {
            return Ok(());
        }
        let fd = match open_folder(&self.root, folder) {
            Err(Errno::ENOENT) => self.make_parents(folder)?,
            other => other.map_err(|e| at(folder, &e.into()))?,
        };
        self.folder = Some((folder.to_owned(), fd));
        Ok(())
    }

    fn make_parents(&self, folder: &Path) -> io::Result<OwnedFd> {
        let mut path = PathBuf::new();
        for part in folder.components() {
            let above = open_folder(&self.root, &path)?;
            match mkdirat(&above, part.as_os_str(), Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EEXIST) => path.push(part),
                Err(e) => return Err(at(folder, &e.into())),
            }
        }
        Ok(open_folder(&self.root, folder)?)
    }

    fn here(&self) -> &OwnedFd {
        self.folder.as_ref().map_or(&self.root, |(_, fd)| fd)
    }

    fn file(&mut self, entry: &mut Entry<'_, &mut dyn Read>, name: &OsStr) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = replacing(self.here(), name, || openat(self.here(), name, flags, Mode::from_bits_truncate(0o600)))?;
        let mut file = File::from(fd);
        loop {
            let got = entry.read(&mut self.buffer)?;
            if got == 0 {
                break;
            }
            file.write_all(self.buffer.get(..got).unwrap_or_default())?;
        }
        let header = entry.header();
        if self.chown {
            let (user, group) = owner(header)?;
            fchown(&file, user, group)?;
        }
        // After chown, which clears set-user-id bits.
        fchmod(&file, mode(header)?)?;
        let time = TimeSpec::seconds(mtime(header)?);
        futimens(&file, &time, &time)?;
        Ok(())
    }

    fn make_folder(&mut self, header: &Header, (folder, name): Place<'_>) -> io::Result<()> {
        let path = folder.join(name);
        if open_folder(&self.root, &path).is_ok() {
            return Ok(());
        }
        let here = self.here();
        let make = || mkdirat(here, name, Mode::from_bits_truncate(0o700));
        match make() {
            // Another package made it in the meantime.
            Err(Errno::EEXIST) if open_folder(&self.root, &path).is_ok() => return Ok(()),
            Err(Errno::EEXIST) => replacing(here, name, make)?,
            other => other?,
        }
        self.chown_at(header, name)?;
        fchmodat(here, name, mode(header)?, FchmodatFlags::FollowSymlink)?;
        self.made.insert(path, mtime(header)?);
        Ok(())
    }

    fn symlink(&self, entry: &Entry<'_, &mut dyn Read>, name: &OsStr) -> io::Result<()> {
        let target = entry.link_name()?.ok_or_else(|| invalid("a symlink without a target"))?;
        let here = self.here();
        // A folder in the way is a folder that other packages fill already: dpkg keeps it too.
        if is_folder(here, name) {
            return Ok(());
        }
        replacing(here, name, || symlinkat(target.as_os_str(), here, name))?;
        self.chown_at(entry.header(), name)?;
        let time = TimeSpec::seconds(mtime(entry.header())?);
        utimensat(here, name, &time, &time, UtimensatFlags::NoFollowSymlink)?;
        Ok(())
    }

    fn hardlink(&self, entry: &Entry<'_, &mut dyn Read>, (_, name): Place<'_>) -> io::Result<()> {
        let target = entry.link_name()?.ok_or_else(|| invalid("a hard link without a target"))?;
        let target = inside(&target)?;
        let (Some(folder), Some(old)) = (target.parent(), target.file_name()) else {
            return Err(invalid("a hard link to the root"));
        };
        let from = open_folder(&self.root, folder)?;
        replacing(self.here(), name, || linkat(&from, old, self.here(), name, AtFlags::empty()))?;
        Ok(())
    }

    fn fifo(&self, header: &Header, name: &OsStr) -> io::Result<()> {
        let mode = mode(header)?;
        replacing(self.here(), name, || mknodat(self.here(), name, SFlag::S_IFIFO, mode, 0))?;
        self.chown_at(header, name)
    }

    fn chown_at(&self, header: &Header, name: &OsStr) -> io::Result<()> {
        if self.chown {
            let (user, group) = owner(header)?;
            fchownat(self.here(), name, user, group, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    fn set_folder_times(&self) -> io::Result<()> {
        for (path, time) in &self.made {
            let time = TimeSpec::seconds(*time);
            if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
                let folder = open_folder(&self.root, folder)?;
                utimensat(&folder, name, &time, &time, UtimensatFlags::NoFollowSymlink)?;
            }
        }
        Ok(())
    }
}

/// Opens a folder below `root`; symlinks, absolute ones too, are followed as if `root` were `/`.
fn open_folder(root: &OwnedFd, path: &Path) -> nix::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(root, path, how)
}

fn is_folder(here: &OwnedFd, name: &OsStr) -> bool {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(here, name, flags, Mode::empty()).is_ok()
}

/// Makes a name, after removing what has it.
fn replacing<T>(here: &impl AsFd, name: &OsStr, make: impl Fn() -> nix::Result<T>) -> io::Result<T> {
    match make() {
        Err(Errno::EEXIST) => {
            unlinkat(here, name, UnlinkatFlags::NoRemoveDir)?;
            Ok(make()?)
        }
        other => Ok(other?),
    }
}

/// The path relative to the root; one that climbs is refused.
fn inside(path: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(invalid(&format!("the path {} leads out of the package", path.display())));
            }
        }
    }
    Ok(clean)
}

fn mode(header: &Header) -> io::Result<Mode> {
    Ok(Mode::from_bits_truncate(header.mode()? & 0o7777))
}

fn mtime(header: &Header) -> io::Result<i64> {
    i64::try_from(header.mtime()?).map_err(|_| invalid("a time out of range"))
}

fn owner(header: &Header) -> io::Result<(Option<Uid>, Option<Gid>)> {
    let number = |n: u64| u32::try_from(n).map_err(|_| invalid("an owner out of range"));
    Ok((Some(Uid::from_raw(number(header.uid()?)?)), Some(Gid::from_raw(number(header.gid()?)?))))
}

fn at(path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("{}: {cause}", path.display()))
}
