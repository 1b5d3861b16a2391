//! Symbolic links with absolute targets that stay within the root, which the kernel does not follow beneath a folder.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::roots::Root;

/// The most symbolic links that are followed; the kernel's own limit.
pub const LINKS: usize = 40;

/// Does `deed` with `below`; if an absolute link is in its way, with the path that the links lead to. That path is only
/// another path: the kernel resolves it anew, and a link that was swapped in meanwhile leads nowhere outside.
pub fn follow<T>(root: &Root, below: &Path, deed: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    deed(below).or_else(|e| match resolve(root, below).filter(|_| leaves(&e)) {
        Some(led) => deed(&led),
        None => Err(e),
    })
}

/// Whether a path was refused because it would leave the root.
pub fn leaves(error: &io::Error) -> bool {
    match error.raw_os_error() {
        // cap-std's own refusal carries no number.
        None => error.kind() == io::ErrorKind::PermissionDenied,
        Some(number) => number == rustix::io::Errno::XDEV.raw_os_error(),
    }
}

/// `below` with its links replaced by where they lead; nothing if that is outside, or without end.
fn resolve(root: &Root, below: &Path) -> Option<PathBuf> {
    let mut done = PathBuf::new();
    let mut todo = parts(below);
    let mut links = 0;
    while let Some(part) = todo.pop() {
        if part == ".." {
            done = done.pop().then_some(done)?;
            continue;
        }
        done.push(&part);
        let Ok(target) = root.dir.read_link_contents(&done) else { continue };
        links += 1;
        let rest = if target.is_absolute() {
            target.strip_prefix(&root.real).ok().map(|rest| (PathBuf::new(), rest.to_owned()))
        } else {
            done.parent().map(|parent| (parent.to_owned(), target))
        };
        let (start, rest) = rest.filter(|_| links <= LINKS)?;
        done = start;
        todo.extend(parts(&rest));
    }
    Some(if done.as_os_str().is_empty() { PathBuf::from(".") } else { done })
}

/// Names and `..`, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(named).map(|part| part.as_os_str().to_owned()).rev().collect()
}
