//! The folders that may be read, each held as a directory capability.
//!
//! A path is resolved by the kernel, once, from the held descriptor (`openat2` with `RESOLVE_BENEATH` and
//! `RESOLVE_NO_MAGICLINKS`): there is no check that a swapped symlink could make stale.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use crate::fault::Fault;

/// Not empty; the first root is what relative paths start from.
#[derive(Debug)]
pub struct Roots(Vec<Root>);

#[derive(Debug)]
struct Root {
    /// As clients name it.
    path: PathBuf,
    dir: Dir,
}

impl Roots {
    pub fn open(paths: &[PathBuf]) -> io::Result<Self> {
        let roots = paths.iter().map(|path| {
            let dir = Dir::open_ambient_dir(path, ambient_authority())
                .map_err(|e| io::Error::new(e.kind(), format!("cannot open the root {}: {e}", path.display())))?;
            Ok(Root { path: path.clone(), dir })
        });
        Ok(Roots(roots.collect::<io::Result<_>>()?))
    }

    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|root| root.path.as_path())
    }

    /// Opens a file or folder for reading; never waits for the other end of a FIFO and never takes a terminal.
    pub fn open_read(&self, path: &str) -> Result<File, Fault> {
        let (root, below) = self.locate(path)?;
        let mut options = OpenOptions::new();
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.read(true).custom_flags(flags.bits().cast_signed());
        root.dir.open_with(below, &options).map_err(|e| Fault::io(path, &e))
    }

    pub fn open_folder(&self, path: &str) -> Result<Dir, Fault> {
        let file = self.open_read(path)?;
        let metadata = file.metadata().map_err(|e| Fault::io(path, &e))?;
        if !metadata.is_dir() {
            return Err(Fault::new(format!("{path}: not a folder")));
        }
        Ok(Dir::from_std_file(file.into_std()))
    }

    /// What a path leads to, symlinks followed, nothing opened.
    pub fn metadata(&self, path: &str) -> Result<Metadata, Fault> {
        let (root, below) = self.locate(path)?;
        root.dir.metadata(below).map_err(|e| Fault::io(path, &e))
    }

    /// The root that `path` names, and the rest of it. Whole components are compared, and the longest root wins.
    fn locate(&self, path: &str) -> Result<(&Root, PathBuf), Fault> {
        let named = Path::new(path);
        let found = if named.is_absolute() {
            let below = self.0.iter().filter_map(|r| Some((r, named.strip_prefix(&r.path).ok()?)));
            below.max_by_key(|(root, _)| root.path.components().count())
        } else {
            self.0.first().map(|root| (root, named))
        };
        let (root, below) = found.ok_or_else(|| {
            let roots: Vec<_> = self.paths().map(|p| p.display().to_string()).collect();
            Fault::new(format!("{path}: outside the allowed folders ({})", roots.join(", ")))
        })?;
        let below = if below.as_os_str().is_empty() { PathBuf::from(".") } else { below.to_owned() };
        Ok((root, below))
    }
}

/// A file name as text: bytes that are not UTF-8, control characters and backslashes are escaped.
pub fn name_text(name: &std::ffi::OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_root_is_a_prefix_of_components_not_of_text() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("data"), folder.path().join("data-secret"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        std::fs::write(two.join("key"), "x").unwrap();
        let roots = Roots::open(std::slice::from_ref(&one)).unwrap();
        let fault = roots.open_read(two.join("key").to_str().unwrap()).unwrap_err();
        assert!(fault.to_string().contains("outside the allowed folders"), "{fault}");
    }

    #[test]
    fn the_longest_root_wins() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let roots = Roots::open(&[folder.path().to_owned(), inner.clone()]).unwrap();
        let (root, below) = roots.locate(inner.join("c").to_str().unwrap()).unwrap();
        assert_eq!((root.path.as_path(), below.as_path()), (inner.as_path(), Path::new("c")));
    }

    #[test]
    fn names_that_are_not_text_are_escaped() {
        assert_eq!(name_text(OsStr::from_bytes(b"a\xffb\n\\")), "a\\xffb\\n\\\\");
        assert_eq!(name_text(OsStr::new("Straße 1")), "Straße 1");
    }
}
