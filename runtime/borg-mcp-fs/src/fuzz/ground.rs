//! A root with everything in it that is hard, and beside it what must neither be read nor changed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use axum::Router;
use tempfile::TempDir;

use crate::testing;

/// No call has these in it: an answer that has them has them from outside.
const CONTENT: &str = "canary-content-4f1d";
const NAME: &str = "canary-name-9b7e";

/// What an answer has from outside.
pub fn leaked(answer: &[u8]) -> Option<&'static str> {
    [CONTENT, NAME].into_iter().find(|canary| memchr::memmem::find(answer, canary.as_bytes()).is_some())
}

pub struct Ground {
    folder: TempDir,
    before: BTreeMap<PathBuf, Seen>,
}

/// What would show that something was changed.
type Seen = (u32, u64, i64, i64, Option<Vec<u8>>);

impl Ground {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        std::fs::create_dir_all(outside.join("deep")).unwrap();
        for path in ["file", "deep/file", NAME] {
            std::fs::write(outside.join(path), CONTENT).unwrap();
        }
        fill(&folder.path().join("root"), &outside);
        let mut ground = Ground { folder, before: BTreeMap::new() };
        ground.before = ground.seen();
        ground
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    pub fn app(&self) -> Router {
        testing::app(&self.root())
    }

    /// What is different outside of the root.
    pub fn changed(&self) -> Option<String> {
        let now = self.seen();
        (now != self.before).then(|| format!("{:?} is now {now:?}", self.before))
    }

    fn seen(&self) -> BTreeMap<PathBuf, Seen> {
        let mut seen = BTreeMap::new();
        let mut todo = vec![self.folder.path().to_owned()];
        while let Some(path) = todo.pop() {
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                todo.retain(|path| *path != self.root());
            }
            let content = metadata.is_file().then(|| std::fs::read(&path).unwrap());
            let what = (metadata.mode(), metadata.nlink(), metadata.mtime(), metadata.mtime_nsec(), content);
            seen.insert(path, what);
        }
        seen
    }
}

fn fill(root: &Path, outside: &Path) {
    std::fs::create_dir_all(root.join("folder/deep/deeper")).unwrap();
    for (path, text) in [("file", "one\ntwo\nthree\n"), ("folder/file", "\u{1}\"\\ ä\r\n"), ("folder/deep/file", "")] {
        std::fs::write(root.join(path), text).unwrap();
    }
    std::fs::write(root.join("binary"), [0, 0xff, b'\n', 0x80]).unwrap();
    std::fs::write(root.join(OsStr::from_bytes(b"odd\xff\n")), "odd").unwrap();
    std::fs::File::create(root.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let links: [(&str, OsString); 9] = [
        ("out", outside.into()),
        ("out-file", outside.join("file").into()),
        ("up", "..".into()),
        ("up-file", "../outside/file".into()),
        ("folder/up", "../../outside".into()),
        ("loop", "loop".into()),
        ("proc", "/proc/self/root".into()),
        ("in", "folder/deep".into()),
        ("in-absolute", root.join("folder").into()),
    ];
    for (name, target) in links {
        symlink(target, root.join(name)).unwrap();
    }
}
