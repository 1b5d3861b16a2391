//! A local apt archive of a lock's packages, made of the store.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use borg_compose::archive::deb;
use borg_compose::engine::live_build::Deb;
use borg_compose::engine::live_build::archive::entry;
use borg_compose::lock::Lock;
use borg_compose::store::Store;

/// Lays the archive out in a folder; answers with its line for sources.list(5).
pub fn lay_out(lock: &Lock, store: &Store, folder: &Path) -> String {
    fs::create_dir_all(folder.join("pool")).unwrap();
    let mut index = String::new();
    for package in &lock.packages {
        let object: PathBuf = store.object(&package.sha256);
        let offered = Deb { size: package.size, sha256: package.sha256, priority: None };
        index += &entry(&deb::control(&object).unwrap(), &offered);
        symlink(object, folder.join(format!("pool/{}.deb", package.sha256))).unwrap();
    }
    fs::write(folder.join("Packages"), index).unwrap();
    // apt cannot check who signed it: it holds what the lock names by hash.
    format!("deb [trusted=yes] copy://{} ./", folder.display())
}

/// Every package of the lock, at its version.
pub fn wanted(lock: &Lock) -> String {
    let wanted: Vec<String> = lock.packages.iter().map(|p| format!("{}={}", p.name, p.version)).collect();
    wanted.join(",")
}
