//! Opening a path below a folder without following a link.
//!
//! `openat2` with `RESOLVE_BENEATH` does this in one call, but systemd answers it with ENOSYS in a unit with `RestrictSUIDSGID=`,
//! which `DynamicUser=` implies (systemd.exec(5)). What is used here is there everywhere, so it is the same everywhere.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

/// The longest path, in bytes, that the kernel takes in one call; longer ones are refused here too, so that the number of calls is bounded.
const LONGEST: usize = 4095;

/// Opens `path` below `root`, one name at a time, each from the descriptor of the one before. A link at its end can be opened with
/// [`OFlags::PATH`].
///
/// # Errors
///
/// `LOOP` or `NOTDIR` for a link, `INVAL` for a path that is empty or absolute or has `..` in it, `NAMETOOLONG` for one of
/// more than 4095 bytes, and what openat(2) has.
pub fn open(root: impl AsFd, path: &Path, flags: OFlags) -> Result<File, Errno> {
    if path.as_os_str().len() > LONGEST {
        return Err(Errno::NAMETOOLONG);
    }
    let mut here: Option<File> = None;
    let mut names = path.components().peekable();
    while let Some(name) = names.next() {
        let Component::Normal(name) = name else { return Err(Errno::INVAL) };
        let flags = if names.peek().is_some() { OFlags::PATH | OFlags::DIRECTORY } else { flags };
        let from: BorrowedFd<'_> = here.as_ref().map_or_else(|| root.as_fd(), AsFd::as_fd);
        here = Some(openat(from, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?.into());
    }
    here.ok_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_ways_up_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "inside").unwrap();
        fs::write(folder.path().join("file"), "outside").unwrap();
        symlink("b", root.join("a/folder-link")).unwrap();
        symlink("b/file", root.join("a/file-link")).unwrap();
        let root = File::open(root).unwrap();
        let open = |path: &str| {
            open(&root, Path::new(path), OFlags::RDONLY).map(|file| std::io::read_to_string(file).unwrap())
        };
        assert_eq!(open("a/b/file"), Ok("inside".into()));
        assert_eq!(open("a/./b//file"), Ok("inside".into()));
        assert_eq!(open("a/folder-link/file"), Err(Errno::NOTDIR));
        assert_eq!(open("a/file-link"), Err(Errno::LOOP));
        assert_eq!(open("a/none"), Err(Errno::NOENT));
        for path in ["", ".", "..", "../file", "a/../../file", "/etc/passwd"] {
            assert_eq!(open(path), Err(Errno::INVAL), "{path}");
        }
        assert_eq!(open(&"a/".repeat(2048)), Err(Errno::NAMETOOLONG));
    }
}
