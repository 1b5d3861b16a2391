//! Roots for tests.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::roots::{Roots, Wanted};

pub fn wanted(path: &Path) -> Wanted {
    Wanted { path: path.to_owned(), writable: true, max: None }
}

/// A folder, filled, and it alone as a writable root.
pub fn root(fill: impl Fn(&Path)) -> (TempDir, Roots) {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let roots = Roots::open(&[wanted(folder.path())], None).unwrap();
    (folder, roots)
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

pub fn fault<T: std::fmt::Debug>(result: Result<T, crate::fault::Fault>) -> String {
    result.unwrap_err().to_string()
}
