//! The folders that tools may use, each held as a directory capability.
//!
//! A path is resolved by the kernel, once, from the held descriptor (`openat2` with `RESOLVE_BENEATH` and
//! `RESOLVE_NO_MAGICLINKS`, or name by name where a sandbox does not have that call): there is no check that a swapped symlink
//! could make stale.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, FileType, Metadata, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use crate::fault::Fault;
use crate::paths::{self, path_text};
use crate::quota::Quota;
use crate::{guard, links};

/// A root as the command line asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub path: PathBuf,
    pub writable: bool,
    /// The most bytes that files below it may take.
    pub max: Option<u64>,
}

/// Not empty; the first root is what relative paths start from.
#[derive(Debug)]
pub struct Roots {
    all: Vec<Root>,
    home: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Root {
    /// As it was given; clients may name it so.
    path: PathBuf,
    /// Where it lies, symbolic links followed.
    pub real: PathBuf,
    pub dir: Dir,
    pub writable: bool,
    pub quota: Option<Quota>,
}

/// A path's root, and the rest of it.
#[derive(Debug)]
pub struct Located<'a> {
    pub root: &'a Root,
    /// Relative and without `..`; `.` for the root itself.
    pub below: PathBuf,
}

impl Located<'_> {
    /// Where what was opened lies, symbolic links followed. Only to be told: nothing is opened by it.
    pub fn real(&self, opened: impl AsFd) -> PathBuf {
        let link = format!("/proc/self/fd/{}", opened.as_fd().as_raw_fd());
        let real = std::fs::read_link(link).ok().filter(|real| real.starts_with(&self.root.real));
        real.unwrap_or_else(|| self.root.full(&self.below))
    }
}

impl Roots {
    pub fn open(wanted: &[Wanted], home: Option<PathBuf>) -> io::Result<Self> {
        let all: Vec<Root> = wanted.iter().map(Root::open).collect::<io::Result<_>>()?;
        let outer = |inner: &Root| all.iter().find(|outer| inner.lies_in(outer) && inner.rights() != outer.rights());
        if let Some((inner, outer)) = all.iter().find_map(|inner| Some((inner, outer(inner)?))) {
            let (inner, outer) = (inner.path.display(), outer.path.display());
            let text =
                format!("--root {inner}: lies in {outer}, by whose rights a link could reach it; serve them apart");
            return Err(io::Error::other(text));
        }
        Ok(Roots { all, home })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Root> {
        self.all.iter()
    }

    /// Every name of every root: as given, and where it lies if that differs.
    pub fn names(&self) -> Vec<&Path> {
        let mut names: Vec<&Path> = Vec::new();
        for root in &self.all {
            names.push(&root.path);
            if root.real != root.path {
                names.push(&root.real);
            }
        }
        names
    }

    /// Opens a file or folder for reading; never waits for the other end of a FIFO and never takes a terminal.
    pub fn open_read(&self, path: &str) -> Result<(File, Located<'_>), Fault> {
        let located = self.locate(path)?;
        match links::follow(located.root, &located.below, |below| open(&located.root.dir, below)) {
            Ok(file) => Ok((file, located)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => open_escaped(path, located, &e),
            Err(e) => Err(Fault::io(path, &e)),
        }
    }

    /// A regular file, with what is known of it.
    pub fn open_file(&self, path: &str) -> Result<(File, Metadata, Located<'_>), Fault> {
        let (file, located) = self.open_read(path)?;
        let metadata = file.metadata().map_err(|e| Fault::io(path, &e))?;
        if !metadata.is_file() {
            return Err(no_file(path, metadata.file_type()));
        }
        Ok((file, metadata, located))
    }

    pub fn open_folder(&self, path: &str) -> Result<(Dir, Located<'_>), Fault> {
        let (file, located) = self.open_read(path)?;
        let metadata = file.metadata().map_err(|e| Fault::io(path, &e))?;
        if !metadata.is_dir() {
            return Err(Fault::new(format!("{path}: not a directory but {}", kind(metadata.file_type()))));
        }
        Ok((Dir::from_std_file(file.into_std()), located))
    }

    /// What a path leads to, symlinks followed, nothing opened.
    pub fn metadata(&self, path: &str) -> Result<Metadata, Fault> {
        let located = self.locate(path)?;
        let dir = &located.root.dir;
        let escaped = || dir.metadata(paths::name_bytes(&located.below)?).ok();
        links::follow(located.root, &located.below, |below| dir.metadata(below))
            .or_else(|e| escaped().ok_or(e))
            .map_err(|e| Fault::io(path, &e))
    }

    /// Whole components are compared, and the longest root wins.
    pub fn locate(&self, path: &str) -> Result<Located<'_>, Fault> {
        let base = self.all.first().map_or(Path::new("/"), |root| &root.real);
        let whole = paths::absolute(path, base, self.home.as_deref())?;
        let found = self.all.iter().filter_map(|root| {
            let (length, rest) = root.strip(&whole)?;
            let below = if rest.as_os_str().is_empty() { PathBuf::from(".") } else { rest.to_owned() };
            Some((length, Located { root, below }))
        });
        // The first of equal ones, so that an order on the command line means something.
        let best = found.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, located)| located).ok_or_else(|| {
            let names: Vec<_> = self.names().into_iter().map(path_text).collect();
            let whole = path_text(&whole);
            Fault::new(format!("Access denied - path outside allowed directories: {whole} not in {}", names.join(", ")))
        })
    }
}

/// That what `path` names is something else than a file.
pub fn no_file(path: &str, found: FileType) -> Fault {
    Fault::new(format!("{path}: not a regular file but {}", kind(found)))
}

impl Root {
    /// That files may be changed here; `path` is how the client names one.
    pub fn permit(&self, path: &str) -> Result<(), Fault> {
        if self.writable {
            return Ok(());
        }
        Err(Fault::new(format!("Access denied - {} is read-only: {path}", path_text(&self.real))))
    }

    fn open(wanted: &Wanted) -> io::Result<Self> {
        let named = wanted.path.display();
        let fault = |e: io::Error| io::Error::new(e.kind(), format!("cannot open the root {named}: {e}"));
        let path = paths::normal(&std::path::absolute(&wanted.path).map_err(fault)?);
        // Judged by where it really lies, and opened there.
        let real = path.canonicalize().map_err(fault)?;
        let dir = Dir::open_ambient_dir(&real, ambient_authority()).map_err(fault)?;
        guard::check(&real, &dir, wanted.writable).map_err(|e| io::Error::other(format!("--root {named}: {e}")))?;
        Ok(Root { path, real, dir, writable: wanted.writable, quota: wanted.max.map(Quota::new) })
    }

    fn lies_in(&self, outer: &Root) -> bool {
        self.real.starts_with(&outer.real)
    }

    /// What tells two roots apart that hold the same file.
    fn rights(&self) -> (bool, Option<u64>) {
        (self.writable, self.quota.as_ref().map(Quota::most))
    }

    /// How long the name is by which `whole` lies in this root, and the rest.
    fn strip<'a>(&self, whole: &'a Path) -> Option<(usize, &'a Path)> {
        let names = [&self.path, &self.real].into_iter();
        names.filter_map(|name| Some((name.components().count(), whole.strip_prefix(name).ok()?))).max_by_key(|x| x.0)
    }

    pub fn full(&self, below: &Path) -> PathBuf {
        if below == Path::new(".") { self.real.clone() } else { self.real.join(below) }
    }
}

/// A name that had to be escaped in a listing can be asked for as it was shown.
fn open_escaped<'a>(path: &str, mut located: Located<'a>, e: &io::Error) -> Result<(File, Located<'a>), Fault> {
    let raw = paths::name_bytes(&located.below).ok_or_else(|| Fault::io(path, e))?;
    let file = open(&located.root.dir, &raw).map_err(|e| Fault::io(path, &e))?;
    located.below = raw;
    Ok((file, located))
}

fn open(dir: &Dir, below: &Path) -> io::Result<File> {
    // Only so that no driver hears of it: opening a watchdog or a tape does something. What counts is what was opened.
    let metadata = dir.metadata(below)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(io::Error::other(format!("not a regular file but {}", kind(metadata.file_type()))));
    }
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    options.read(true).custom_flags(flags.bits().cast_signed());
    dir.open_with(below, &options)
}

pub fn kind(file_type: FileType) -> &'static str {
    use cap_std::fs::FileTypeExt as _;
    match file_type {
        t if t.is_dir() => "a directory",
        t if t.is_file() => "a file",
        t if t.is_fifo() => "a pipe",
        t if t.is_socket() => "a socket",
        t if t.is_block_device() || t.is_char_device() => "a device",
        t if t.is_symlink() => "a symbolic link",
        _ => "something else",
    }
}

#[cfg(test)]
#[path = "roots_tests.rs"]
mod tests;
