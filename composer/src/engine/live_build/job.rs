//! What live-build is asked for and what it answers: plain data, sent to a worker and back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::lock::types::{LockedPackage, Output, PackageLayer};
use crate::spec::types::{ArchiveKind, ArchiveSpec};
use crate::tree::Tree;

/// A run of `lb config` and `lb build`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiveBuildJob {
    /// Seconds since 1970; no time stamp is younger.
    pub epoch: u64,
    /// The log file, as seen inside the worker.
    pub log: PathBuf,
    /// The rendered tree, the runtime's packages included.
    pub tree: Tree,
    /// Further options of `lb config`.
    pub options: Vec<String>,
    /// The archives that the tree names, Debian's own first.
    pub archives: Vec<Place>,
    pub debs: Vec<Deb>,
    /// The packages of the tools tree.
    pub tools: Vec<Installed>,
    /// Bytes that the ISO may have.
    pub size_limit: u64,
    /// The largest packages, for the error that says so when the limit is passed.
    pub largest: Vec<String>,
    /// Where the ISO goes, as seen inside the worker: a name that nobody takes for a finished one.
    pub out: PathBuf,
}

/// An archive's address and what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub uri: String,
    pub suite: String,
    pub components: Vec<String>,
}

/// A package that the local archive offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deb {
    pub size: u64,
    pub sha256: Digest,
    /// What debootstrap goes by, if not the package's own.
    pub priority: Option<String>,
}

/// A package as dpkg knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Installed {
    pub name: String,
    pub version: String,
    pub architecture: String,
}

/// What came out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiveBuilt {
    pub iso: Output,
    /// The only layer.
    pub squashfs: Output,
    /// `uname -r`.
    pub version: String,
    pub kernel: Digest,
    pub initrd: Digest,
    /// What dpkg says is installed in the image.
    pub packages: Vec<Installed>,
}

impl Place {
    pub fn of(archive: &ArchiveSpec) -> Self {
        Place { uri: archive.uri.clone(), suite: archive.suite.clone(), components: archive.components.clone() }
    }
}

impl Installed {
    pub fn of(package: &LockedPackage) -> Self {
        Installed {
            name: package.name.clone(),
            version: package.version.clone(),
            architecture: package.architecture.clone(),
        }
    }
}

/// The archives in the order in which they are served: packages are offered by the first.
pub fn places(archives: &[ArchiveSpec]) -> Vec<Place> {
    let (debian, others): (Vec<_>, Vec<_>) = archives.iter().partition(|a| a.kind == ArchiveKind::Debian);
    debian.into_iter().chain(others).map(Place::of).collect()
}

/// The image's packages, and those tools that live-build may install into its chroot for a while. The runtime's own are
/// not among them: the tree brings them.
pub fn debs(packages: &[LockedPackage], tools: &[LockedPackage]) -> Vec<Deb> {
    let priority = |p: &LockedPackage| (p.layer == Some(PackageLayer::Essential)).then(|| "required".to_owned());
    let own = packages.iter().filter(|p| p.archive != crate::archive::pin::RUNTIME).map(|p| deb(p, priority(p)));
    let known = |tool: &&LockedPackage| packages.iter().any(|p| p.name == tool.name);
    // debootstrap must not take a tool for a part of the base system.
    let more = tools.iter().filter(|tool| !known(tool)).map(|tool| deb(tool, Some("optional".into())));
    own.chain(more).collect()
}

fn deb(package: &LockedPackage, priority: Option<String>) -> Deb {
    Deb { size: package.size, sha256: package.sha256, priority }
}
