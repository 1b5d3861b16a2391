//! The tools tree: pinned Debian packages, only unpacked, in which every tool runs.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};
use crate::lock::types::LockedPackage;
use crate::progress::Progress;
use crate::store::Store;
use crate::{Digest, archive, parallel};

/// An unpacked tools tree in the store.
#[derive(Debug, Clone)]
pub struct Tools {
    pub root: PathBuf,
}

impl Tools {
    /// The name of the tree that these packages make.
    pub fn key(packages: &[&LockedPackage]) -> String {
        Digest::of_value(&packages.iter().map(|p| p.sha256).collect::<Vec<_>>()).to_string()
    }

    /// Unpacks `packages` into the store, or finds them there. Their .debs must be in the store; one whose bytes were altered
    /// is fetched again by `fetch`.
    pub fn prepare(
        packages: &[&LockedPackage],
        store: &Store,
        progress: &Progress,
        fetch: impl Fn(&LockedPackage) -> Result<()> + Sync,
    ) -> Result<Self> {
        let key = Self::key(packages);
        let root = store.tree("tools", &key);
        if root.is_dir() {
            return Ok(Tools { root });
        }
        let _guard = store.lock(&format!("tools-{key}"), "another run that unpacks the tools", progress)?;
        if root.is_dir() {
            return Ok(Tools { root });
        }
        progress.say("tools", &format!("unpacking {} packages", packages.len()));
        parallel::map(packages, parallel::processors(), |package| {
            if store.verify(&package.sha256)? { Ok(()) } else { fetch(package) }
        })?;
        let folder = store.temporary_folder()?;
        unpack_all(packages, store, folder.path())?;
        // Its presence will be trusted, so it has to be on the disk before it has its name.
        File::open(folder.path())
            .and_then(|file| nix::unistd::syncfs(file).map_err(Into::into))
            .at("write", folder.path())?;
        let parent = root.parent().unwrap_or(store.root());
        fs::create_dir_all(parent).at("create", parent)?;
        fs::rename(folder.keep(), &root).at("create", &root)?;
        Ok(Tools { root })
    }
}

fn unpack_all(packages: &[&LockedPackage], store: &Store, root: &Path) -> Result<()> {
    merge_usr(root)?;
    let (even, odd): (Vec<_>, Vec<_>) = packages.iter().enumerate().partition(|(i, _)| i % 2 == 0);
    std::thread::scope(|scope| {
        let halves = [even, odd].map(|half| {
            scope.spawn(move || half.iter().try_for_each(|(_, p)| archive::deb::unpack(&store.object(&p.sha256), root)))
        });
        halves
            .into_iter()
            .try_for_each(|half| half.join().unwrap_or_else(|_| Err(crate::Error::internal("a thread failed"))))
    })?;
    fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).at("create", root)
}

/// Makes the four links of merged /usr, which packages rely on and not each brings.
pub fn merge_usr(root: &Path) -> Result<()> {
    for name in ["bin", "sbin", "lib", "lib64"] {
        let folder = root.join("usr").join(name);
        fs::create_dir_all(&folder).at("create", &folder)?;
        let link = root.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(format!("usr/{name}"), &link).at("link", &link)?;
        }
    }
    Ok(())
}
