//! Packages made ready for the engine: checked against their digests, compressed so that they unpack fast, and known as
//! to whether they change the initrd. This is done once for each .deb and kept in the store.

#![allow(clippy::disallowed_methods, reason = "an edge: reads and writes the store")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::archive::deb;
use crate::engine::quick;
use crate::engine::system::goes_into_initrd;
use crate::error::{IoContext, Result};
use crate::lock::types::LockedPackage;
use crate::progress::Progress;
use crate::store::{Store, sweep};
use crate::{Digest, Error, parallel};

/// Records of this kind, by the .deb's own digest.
const KIND: &str = sweep::READY;

/// What the store keeps of a .deb beside its own bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The same package in the compression that unpacks fast.
    pub object: Digest,
    /// Its presence changes the initrd: it brings files that initramfs-tools' hooks take, or asks for a new initrd itself.
    pub feeds_initrd: bool,
    /// Its kernel modules, if it has any that take long to read. A record from before this was kept counts as none: serde
    /// takes a missing option for an empty one unless it is told how to read it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub modules: Option<Digest>,
}

/// Ready packages by the digest of their .deb.
pub type Shelf = BTreeMap<Digest, Ready>;

/// Makes `packages` ready. A .deb whose bytes are not those of its digest any more is fetched again by `fetch`.
pub fn prepare(
    packages: &[&LockedPackage],
    store: &Store,
    progress: &Progress,
    fetch: impl Fn(&LockedPackage) -> Result<()> + Sync,
) -> Result<Shelf> {
    let mut shelf = Shelf::new();
    let mut raw = Vec::new();
    for package in packages {
        match store.record::<Ready>(KIND, &package.sha256.to_string())? {
            Some(ready) if store.contains(&ready.object) => drop(shelf.insert(package.sha256, ready)),
            _ => raw.push(*package),
        }
    }
    if raw.is_empty() {
        return Ok(shelf);
    }
    let task = progress.bytes("prepare", raw.iter().map(|p| p.size).sum());
    let made = parallel::map(&raw, parallel::processors(), |package| {
        if !store.verify(&package.sha256)? {
            fetch(package)?;
        }
        let ready = make(package, store)?;
        task.add(package.size);
        Ok((package.sha256, ready))
    });
    task.finish();
    shelf.extend(made?);
    Ok(shelf)
}

/// True if the ready form of a .deb is in the store.
pub fn is_ready(deb: &Digest, store: &Store) -> Result<bool> {
    Ok(store.record::<Ready>(KIND, &deb.to_string())?.is_some_and(|ready| store.contains(&ready.object)))
}

/// True if one of the packages is known to change the initrd; none if none is and not each is known.
pub fn feed_initrd<'a>(packages: impl Iterator<Item = &'a LockedPackage>, store: &Store) -> Result<Option<bool>> {
    let mut none_does = Some(false);
    for package in packages {
        match store.record::<Ready>(KIND, &package.sha256.to_string())? {
            Some(ready) if ready.feeds_initrd => return Ok(Some(true)),
            Some(_) => {}
            None => none_does = None,
        }
    }
    Ok(none_does)
}

/// What the store keeps of packages beside their .debs, and the bytes of those: of packages without and with kernel modules.
pub fn yielded(packages: &[LockedPackage], store: &Store) -> Result<[(u64, u64); 2]> {
    let length = |object: &Digest| std::fs::metadata(store.object(object)).map_or(0, |meta| meta.len());
    let mut sums = [(0, 0); 2];
    for package in packages {
        if let Some(ready) = store.record::<Ready>(KIND, &package.sha256.to_string())? {
            let sum = &mut sums[usize::from(ready.modules.is_some())];
            sum.0 += package.size;
            sum.1 += length(&ready.object) + ready.modules.as_ref().map_or(0, length);
        }
    }
    Ok(sums)
}

/// Where the ready form of a .deb lies.
pub fn object(deb: &Digest, store: &Store) -> Result<PathBuf> {
    let ready = store.record::<Ready>(KIND, &deb.to_string())?;
    ready
        .map(|r| store.object(&r.object))
        .ok_or_else(|| Error::internal(format!("the package {deb} was not made ready")))
}

/// Removes the ready forms whose bytes were altered since; true if all are right.
pub fn verify<'a>(debs: impl Iterator<Item = &'a Digest>, shelf: &Shelf, store: &Store) -> Result<bool> {
    let ready: Vec<&Ready> = debs.filter_map(|deb| shelf.get(deb)).collect();
    let right = parallel::map(&ready, parallel::processors(), |ready| store.verify(&ready.object))?;
    Ok(right.into_iter().all(|right| right))
}

fn make(package: &LockedPackage, store: &Store) -> Result<Ready> {
    let path = store.object(&package.sha256);
    let mut feeds_initrd = false;
    let (mut scratch, mut out, mut quick) = (store.temporary()?, store.temporary()?, store.temporary()?);
    let mut modules = quick::Writer::new(quick.as_file_mut());
    deb::repack(&path, scratch.as_file_mut(), out.as_file_mut(), |name, bytes| {
        feeds_initrd |= is_initrd_file(name);
        modules.take(name, bytes)
    })?;
    let modules = if modules.finish().at("write", quick.path())? { Some(keep(quick, store)?) } else { None };
    let file = File::open(&path).at("open", &path)?;
    deb::control_members(BufReader::new(file), |name, text| feeds_initrd |= asks_for_initrd(name, text))
        .map_err(|e| Error::package(format!("cannot read the package {}", package.name)).because(&e))?;
    let ready = Ready { object: keep(out, store)?, feeds_initrd, modules };
    store.put_record(KIND, &package.sha256.to_string(), &ready)?;
    Ok(ready)
}

fn keep(file: NamedTempFile, store: &Store) -> Result<Digest> {
    let digest = Digest::of_reader(File::open(file.path()).at("open", file.path())?).at("read", file.path())?;
    store.adopt(file, &digest)?;
    Ok(digest)
}

/// What the store has of the packages' kernel modules in the form that is read fast. Whatever is missing only costs time.
pub fn modules<'a>(packages: impl Iterator<Item = &'a LockedPackage>, store: &Store) -> Result<Vec<Digest>> {
    let mut found = Vec::new();
    for package in packages {
        let ready = store.record::<Ready>(KIND, &package.sha256.to_string())?;
        if let Some(modules) = ready.and_then(|ready| ready.modules)
            && store.intact(&modules)?
        {
            found.push(modules);
        }
    }
    Ok(found)
}

/// A file of a package that ends in the initrd.
fn is_initrd_file(name: &str) -> bool {
    // Packages made before the merge of /usr name their files below /lib.
    let name = name.strip_prefix("usr/").unwrap_or(name);
    name.starts_with("lib/modules/") || goes_into_initrd(name) || goes_into_initrd(&format!("usr/{name}"))
}

/// deb-triggers(5), or the call itself in a maintainer script.
fn asks_for_initrd(member: &str, text: &[u8]) -> bool {
    ["triggers", "postinst"].contains(&member) && text.windows(16).any(|w| w == b"update-initramfs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_feeds_the_initrd() {
        for name in [
            "usr/lib/modules/6.1/a.ko",
            "lib/modules/6.1/a.ko",
            "lib/udev/rules.d/60-x.rules",
            "etc/modprobe.d/x",
            "usr/lib/systemd/network/80-x.link",
            "etc/ld.so.conf.d/x.conf",
            "usr/bin/rsync",
            "bin/loadkeys",
            "sbin/mount.cifs",
        ] {
            assert!(is_initrd_file(name), "{name}");
        }
        for name in ["usr/bin/jq", "etc/nginx/nginx.conf", "usr/lib/systemd/system/x.service", "usr/bin/rsync-ssl", ""]
        {
            assert!(!is_initrd_file(name), "{name}");
        }
        assert!(asks_for_initrd("triggers", b"activate-noawait update-initramfs\n"));
        assert!(asks_for_initrd("postinst", b"#!/bin/sh\nupdate-initramfs -u\n"));
        assert!(!asks_for_initrd("md5sums", b"usr/sbin/update-initramfs"));
    }

    #[test]
    fn damaged_packages_are_made_or_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let bytes = crate::archive::deb::tests::deb_of(&[], "Package: x\n");
        let package = LockedPackage {
            name: "x".into(),
            version: "1".into(),
            architecture: "all".into(),
            layer: None,
            group: None,
            archive: "debian".into(),
            filename: "x.deb".into(),
            size: bytes.len() as u64,
            sha256: store.insert(&bytes).unwrap(),
        };
        let untouched = |_: &LockedPackage| Err(Error::internal("nothing is to be fetched"));
        let prepared = |fetch: &(dyn Fn(&LockedPackage) -> Result<()> + Sync)| {
            prepare(&[&package], &store, &Progress::silent(), fetch)
        };
        let damage = |digest: &Digest| {
            std::fs::remove_file(store.object(digest)).unwrap();
            std::fs::write(store.object(digest), "other bytes").unwrap();
        };
        let shelf = prepared(&untouched).unwrap();
        let deb = || std::iter::once(&package.sha256);
        assert!(verify(deb(), &shelf, &store).unwrap());

        damage(&shelf[&package.sha256].object);
        assert!(!verify(deb(), &shelf, &store).unwrap());
        assert_eq!(prepared(&untouched).unwrap(), shelf);
        assert!(verify(deb(), &shelf, &store).unwrap());

        damage(&package.sha256);
        store.discard(&shelf[&package.sha256].object).unwrap();
        assert_eq!(prepared(&|_| store.insert(&bytes).map(|_| ())).unwrap(), shelf);
    }
}
