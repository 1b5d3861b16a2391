//! The tools tree: pinned Debian packages, only unpacked, in which every tool runs.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};
use crate::lock::types::LockedPackage;
use crate::progress::Progress;
use crate::store::Store;
use crate::{Digest, archive, parallel};

/// What the store calls trees of tools.
const KIND: &str = "tools";

/// Changed whenever the same packages are unpacked in another way.
const FORM: u32 = 2;

/// An unpacked tools tree in the store.
#[derive(Debug, Clone)]
pub struct Tools {
    pub root: PathBuf,
}

impl Tools {
    /// The name of the tree that these packages make.
    pub fn key(packages: &[&LockedPackage]) -> String {
        let packages: Vec<_> = packages.iter().map(|p| p.sha256).collect();
        Digest::of_value(&(FORM, packages)).to_string()
    }

    /// Unpacks `packages` into the store, or finds them there. Their .debs must be in the store; one whose bytes were altered
    /// is fetched again by `fetch`.
    ///
    /// A tree is found by its name: before anything in it is used, [`Tools::checked`] looks at all of it.
    pub fn prepare(
        packages: &[&LockedPackage],
        store: &Store,
        progress: &Progress,
        fetch: impl Fn(&LockedPackage) -> Result<()> + Sync,
    ) -> Result<Self> {
        let root = store.tree(KIND, &Self::key(packages));
        if root.is_dir() {
            return Ok(Tools { root });
        }
        Self::checked(packages, store, progress, fetch)
    }

    /// Like [`Tools::prepare`], and a tree that somebody changed since is unpacked anew.
    pub fn checked(
        packages: &[&LockedPackage],
        store: &Store,
        progress: &Progress,
        fetch: impl Fn(&LockedPackage) -> Result<()> + Sync,
    ) -> Result<Self> {
        let key = Self::key(packages);
        let root = store.tree(KIND, &key);
        if store.tree_is_as_noted(KIND, &key)? {
            return Ok(Tools { root });
        }
        let _guard = store.lock(&format!("tools-{key}"), "another run that unpacks the tools", progress)?;
        if store.tree_is_as_noted(KIND, &key)? {
            return Ok(Tools { root });
        }
        let altered = store.temporary_folder()?;
        if root.exists() {
            progress.say("tools", "somebody changed them since they were unpacked");
            fs::rename(&root, altered.path().join(&key)).at("remove", &root)?;
        }
        progress.say("tools", &format!("unpacking {} packages", packages.len()));
        parallel::map(packages, parallel::processors(), |package| {
            if store.verify(&package.sha256)? { Ok(()) } else { fetch(package) }
        })?;
        let folder = store.temporary_folder()?;
        unpack_all(packages, store, folder.path())?;
        // It will be found by its name, so it has to be on the disk before it has that.
        File::open(folder.path())
            .and_then(|file| nix::unistd::syncfs(file).map_err(Into::into))
            .at("write", folder.path())?;
        store.note_tree(&key, folder.path())?;
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tar::EntryType;

    use super::*;

    #[test]
    fn a_tree_that_was_altered_is_unpacked_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let bytes =
            archive::deb::tests::deb_of(&[("./usr/bin/tool", EntryType::Regular, 0o755, "true")], "Package: x\n");
        let package = LockedPackage {
            name: "x".into(),
            version: "1".into(),
            architecture: "all".into(),
            layer: None,
            group: Some("build".into()),
            archive: "debian".into(),
            filename: "x.deb".into(),
            size: bytes.len() as u64,
            sha256: store.insert(&bytes).unwrap(),
        };
        let progress = Progress::silent();
        let checked = || {
            let tools = Tools::checked(&[&package], &store, &progress, |_| Err(crate::Error::internal("not fetched")));
            tools.unwrap().root
        };
        let root = checked();
        let tool = root.join("usr/bin/tool");
        let times = |word: &str| progress.said().matches(word).count();
        assert_eq!((checked(), times("unpacking")), (root.clone(), 1));
        let alterations: [&dyn Fn(); 4] = [
            &|| fs::write(&tool, "fals").unwrap(),
            &|| fs::set_permissions(&tool, PermissionsExt::from_mode(0o4755)).unwrap(),
            &|| fs::write(root.join("usr/bin/another"), "x").unwrap(),
            &|| fs::remove_dir_all(root.join("usr")).unwrap(),
        ];
        for (i, alter) in (1..).zip(alterations) {
            // The kernel's clock for files ticks every few milliseconds.
            std::thread::sleep(std::time::Duration::from_millis(20));
            alter();
            assert_eq!((checked(), times("unpacking"), times("somebody")), (root.clone(), i + 1, i));
            assert_eq!(fs::read_to_string(&tool).unwrap(), "true");
            assert!(!root.join("usr/bin/another").exists());
        }
        assert_eq!(fs::read_dir(store.temporaries()).unwrap().count(), 0);
    }
}
