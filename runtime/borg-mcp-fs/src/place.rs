//! Where a file is written: a folder that is held, and a name in it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, Metadata};
use rustix::fs::{Mode, OFlags};

use crate::fault::Fault;
use crate::links::{self, LINKS};
use crate::paths::{self, path_text};
use crate::roots::{Root, Roots};

#[derive(Debug)]
pub struct Place<'a> {
    pub root: &'a Root,
    pub dir: Dir,
    pub name: OsString,
    /// The path within the root.
    pub below: PathBuf,
}

impl Place<'_> {
    /// What is there now, links not followed.
    pub fn metadata(&self) -> io::Result<Option<Metadata>> {
        match self.dir.symlink_metadata(&self.name) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub fn full(&self) -> PathBuf {
        self.root.full(&self.below)
    }

    /// Makes a change of names in the folder last.
    pub fn sync(&self) -> io::Result<()> {
        // The held descriptor may be one that only names the folder (`O_PATH`).
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::fsync(rustix::fs::openat(&self.dir, ".", flags, Mode::empty())?)?)
    }
}

impl Roots {
    /// The place that `path` names in a writable root; with `follow`, the one that a symbolic link there leads to.
    pub fn place(&self, path: &str, follow: bool) -> Result<Place<'_>, Fault> {
        self.locate(path)?.root.permit(path)?;
        self.spot(path, follow)
    }

    /// The same of any root, not to be written to.
    pub fn spot(&self, path: &str, follow: bool) -> Result<Place<'_>, Fault> {
        let located = self.locate(path)?;
        let root = located.root;
        let mut below = located.below;
        for _ in 0..LINKS {
            let place = at(root, below, path)?;
            match place.dir.read_link_contents(&place.name) {
                Ok(target) if follow => below = led(root, &place.below, &target, path)?,
                // Not a link, or nothing at all.
                _ => return Ok(place),
            }
        }
        Err(Fault::new(format!("{path}: too many symbolic links")))
    }

    /// The place of something that is there; a name can be given as a listing had to escape it.
    pub fn place_of(&self, path: &str) -> Result<Place<'_>, Fault> {
        let place = self.place(path, false)?;
        if place.metadata().map_err(|e| Fault::io(path, &e))?.is_some() {
            return Ok(place);
        }
        let missing = || Fault::io(path, &io::ErrorKind::NotFound.into());
        let place = at(place.root, paths::name_bytes(&place.below).ok_or_else(missing)?, path)?;
        if place.metadata().is_ok_and(|found| found.is_some()) { Ok(place) } else { Err(missing()) }
    }
}

fn at<'a>(root: &'a Root, below: PathBuf, path: &str) -> Result<Place<'a>, Fault> {
    // `..` at the end of a link's target, or the root itself.
    let Some(name) = below.file_name().map(ToOwned::to_owned) else {
        return Err(Fault::new(format!("{path}: is a directory that has to stay")));
    };
    let parent = below.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = links::follow(root, parent, |parent| root.dir.open_dir(parent)).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            Fault::new(format!("Parent directory does not exist: {}", path_text(&root.full(parent))))
        }
        _ => Fault::io(path, &e),
    })?;
    Ok(Place { root, dir, name, below })
}

/// Where the link at `below` leads. Only a path: the next round asks the kernel, which does not let it leave the root.
fn led(root: &Root, below: &Path, target: &Path, path: &str) -> Result<PathBuf, Fault> {
    if !target.is_absolute() {
        return Ok(below.parent().unwrap_or(Path::new("")).join(target));
    }
    let inside = target.strip_prefix(&root.real).map(Path::to_owned);
    inside.map_err(|_| Fault::new(format!("{path}: Access denied - symlink target outside allowed directories")))
}
