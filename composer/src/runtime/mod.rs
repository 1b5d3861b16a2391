//! The runtime crates, built and packed as .deb, or taken from where somebody else packed them.

#![allow(clippy::disallowed_methods, reason = "an edge: builds and reads the runtime's packages")]

mod build;
mod deb;
mod elf;
mod fresh;
mod link;
mod manifest;
mod read;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::IoContext;
use crate::lock::types::LockedPackage;
use crate::profile::types::Suite;
use crate::progress::Progress;
use crate::store::Store;
use crate::{Digest, Error, Result};
use manifest::Crate;

/// A package of our own; its bytes are in the store under `sha256`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalDeb {
    pub name: String,
    pub version: String,
    pub architecture: String,
    pub sha256: Digest,
    /// Bytes of the .deb.
    pub size: u64,
    /// `NAME_VERSION_ARCHITECTURE.deb`.
    pub filename: String,
    /// The control file's fields, in its order.
    pub control: Vec<(String, String)>,
}

impl LocalDeb {
    /// A control field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.control.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Where the runtime comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A checkout of this project: its crates are built.
    Checkout(PathBuf),
    /// A folder of .debs that were built elsewhere.
    Folder(PathBuf),
}

impl Source {
    /// The folder, if one is given, or else the checkout that `from` lies in.
    pub fn find(folder: Option<&Path>, from: &Path) -> Result<Self> {
        if let Some(folder) = folder {
            return Ok(Source::Folder(folder.to_owned()));
        }
        let is_checkout = |path: &&Path| {
            path.join("Cargo.toml").is_file() && path.join("composer").is_dir() && path.join("runtime").is_dir()
        };
        let found = from.ancestors().find(is_checkout);
        found.map(|root| Source::Checkout(root.to_owned())).ok_or_else(|| {
            Error::host(format!(
                "no runtime services for the image: {} is not in a checkout of borg-compose",
                from.display()
            ))
            .help("run in a checkout, or name a folder that holds their .debs with --runtime (or BORG_RUNTIME)")
        })
    }
}

/// What the programs are linked against, whatever the host has.
pub struct Sysroot<'a> {
    pub packages: &'a [LockedPackage],
    /// Gives a folder with the packages unpacked; asked for only when something is linked.
    pub unpack: &'a dyn Fn() -> Result<PathBuf>,
}

/// The packages `names`, in that order, in the store. `offline` keeps cargo from the network.
pub fn debs(
    names: &[&str],
    source: &Source,
    sysroot: &Sysroot<'_>,
    store: &Store,
    progress: &Progress,
    offline: bool,
) -> Result<Vec<LocalDeb>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    match source {
        Source::Folder(folder) => names.iter().map(|name| from_folder(name, folder, store)).collect(),
        Source::Checkout(root) => from_checkout(names, root, sysroot, store, progress, offline),
    }
}

/// Packages that a lock names by hash, from the store.
pub fn from_store(locked: &[&LockedPackage], store: &Store) -> Result<Vec<LocalDeb>> {
    let one = |package: &&LockedPackage| {
        let bytes = store.read(&package.sha256)?.ok_or_else(|| {
            let what = format!("{} {} of the lock is not in the store", package.name, package.version);
            Error::input(what)
                .help("give the folder that holds its .deb with --runtime, or lock again with `lock --update`")
        })?;
        describe(&bytes, Path::new(&package.filename))
    };
    locked.iter().map(one).collect()
}

/// Refuses a package that needs a newer C library than `suite` has: it would fail on the device, not here.
pub fn check_glibc(package: &LocalDeb, suite: Suite) -> Result<()> {
    let (name, has) = match suite {
        Suite::Bookworm => ("bookworm", elf::Version::new(2, 36)),
        Suite::Trixie => ("trixie", elf::Version::new(2, 41)),
    };
    let needs = package.field("Depends").and_then(deb::glibc_of);
    match needs {
        Some(needs) if needs > has => Err(Error::input(format!(
            "{} was linked against GLIBC_{needs}, but {name} has glibc {has}",
            package.name
        ))
        .help(format!(
            "build it on Debian's {name} or older, and give the folder of .debs with --runtime; or choose a newer suite"
        ))),
        _ => Ok(()),
    }
}

fn from_folder(name: &str, folder: &Path, store: &Store) -> Result<LocalDeb> {
    let prefix = format!("{name}_");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).at("read", folder)? {
        let entry = entry.at("read", folder)?;
        let is_ours = entry.file_name().to_str().is_some_and(|n| n.starts_with(&prefix));
        if is_ours && entry.path().extension().is_some_and(|e| e == "deb") {
            found.push(entry.path());
        }
    }
    let [path] = found.as_slice() else {
        let what = if found.is_empty() { "no package" } else { "more than one package" };
        return Err(Error::input(format!("{what} {name} in {}", folder.display()))
            .help(format!("one file {name}_VERSION_amd64.deb is needed there")));
    };
    let bytes = std::fs::read(path).at("read", path)?;
    let package = describe(&bytes, path)?;
    if package.name != name {
        return Err(Error::input(format!("{} holds the package {}", path.display(), package.name)));
    }
    store.insert(&bytes)?;
    Ok(package)
}

/// What a .deb says about itself; `path` is for errors.
fn describe(bytes: &[u8], path: &Path) -> Result<LocalDeb> {
    let broken = |why: String| Error::input(format!("{} is no usable Debian package", path.display())).detail(why);
    let control = read::control(bytes).map_err(broken)?;
    deb::describe(bytes, control).map_err(broken)
}

/// What a packed .deb depends on, besides the code of `deb`: the key of its record.
#[derive(Serialize)]
struct Recipe<'a> {
    format: u32,
    meta: &'a deb::Meta,
    assets: Digest,
    binary: Digest,
}

/// Changes when `deb` packs the same input differently.
const FORMAT: u32 = 1;

fn from_checkout(
    names: &[&str],
    root: &Path,
    sysroot: &Sysroot<'_>,
    store: &Store,
    progress: &Progress,
    offline: bool,
) -> Result<Vec<LocalDeb>> {
    let _one_at_a_time = store.lock("runtime", "another run that builds the runtime services", progress)?;
    let linked = Digest::of_value(&sysroot.packages.iter().map(|p| p.sha256).collect::<Vec<_>>());
    let key = Digest::of_value(&(fresh::digest(root, names)?, linked)).to_string();
    if let Some(known) = store.record::<Vec<LocalDeb>>("runtime-sources", &key)?
        && known.iter().map(|deb| store.verify(&deb.sha256)).collect::<Result<Vec<_>>>()?.into_iter().all(|whole| whole)
    {
        return Ok(known);
    }
    let crates = names.iter().map(|name| manifest::read(root, name)).collect::<Result<Vec<_>>>()?;
    let folder = build::cargo(root, names, &(sysroot.unpack)()?, progress, offline)?;
    let debs = crates.iter().map(|one| pack(&folder.join(&one.meta.name), one, store)).collect::<Result<Vec<_>>>()?;
    store.put_record("runtime-sources", &key, &debs)?;
    Ok(debs)
}

fn pack(path: &Path, one: &Crate, store: &Store) -> Result<LocalDeb> {
    let Crate { meta, assets } = one;
    let binary = std::fs::read(path).at("read", path)?;
    let recipe = Recipe { format: FORMAT, meta, assets: assets.digest(), binary: Digest::of(&binary) };
    let key = Digest::of_value(&recipe).to_string();
    if let Some(known) = store.record::<LocalDeb>("runtime", &key)?
        && store.verify(&known.sha256)?
    {
        return Ok(known);
    }
    let fault = |why: String| Error::internal(format!("cannot pack the runtime crate {}", meta.name)).detail(why);
    let needs = elf::needs(&binary).map_err(fault)?;
    let (bytes, control) = deb::pack(meta, &binary, assets, &needs).map_err(fault)?;
    let package = deb::describe(&bytes, control).map_err(fault)?;
    store.insert(&bytes)?;
    store.put_record("runtime", &key, &package)?;
    Ok(package)
}

#[cfg(test)]
mod tests;
