//! From an image spec to a lock: archives are read, packages chosen, and what can stay stays.

#[cfg(test)]
mod apt_tests;
mod choose;
mod local;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeMap;
use std::fmt;
use std::thread;

use super::solve::{Unsolvable, similar};
use super::state::{self, Edges, State};
use crate::lock::types::{FORMAT, Ids, Lock, LockedArchive, LockedPackage};
use crate::profile::check::is_live_config;
use crate::spec::ImageSpec;
use crate::spec::types::{ArchiveKind, ArchiveSpec};
use crate::store::Store;
use crate::{Error, Result, lock};
use choose::Prior;
use texts::Texts;

pub use local::LocalDeb;

/// The archive name of packages that are built here.
pub const RUNTIME: &str = "runtime";

/// The archive name of the tools where the target is another suite.
pub const TOOLS_ARCHIVE: &str = "tools";

/// The suite that the tools tree is made of, whatever the target's is.
const TOOLS_SUITE: &str = "trixie";

/// Which packages may move to newer versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// None: as little as possible changes.
    Keep,
    All,
    /// These, and what they need.
    Only(Vec<String>),
}

/// What to lock.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    pub spec: &'r ImageSpec,
    pub prior: Option<&'r Lock>,
    pub update: &'r Update,
    /// Our own packages, and what they were linked against.
    pub runtime: &'r [LocalDeb],
    pub sysroot: &'r [LockedPackage],
    /// `SOURCE_DATE_EPOCH`, if it is set.
    pub epoch: Option<u64>,
}

/// Why there is no lock: a wish of the profile's that cannot be met, or anything else.
#[derive(Debug)]
pub enum PinError {
    Unsolvable(Unsolvable),
    Other(Error),
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinError::Unsolvable(e) => e.fmt(f),
            PinError::Other(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for PinError {}

impl From<Error> for PinError {
    fn from(e: Error) -> Self {
        PinError::Other(e)
    }
}

impl From<Unsolvable> for PinError {
    fn from(e: Unsolvable) -> Self {
        PinError::Unsolvable(e)
    }
}

impl From<PinError> for Error {
    fn from(e: PinError) -> Self {
        match e {
            PinError::Unsolvable(e) => e.into(),
            PinError::Other(e) => e,
        }
    }
}

/// The states of the archives that a spec's lock is made from, freshly verified.
pub fn load(spec: &ImageSpec, edges: Edges<'_>) -> Result<Vec<State>> {
    load_all(&archives(spec), edges)
}

/// Chooses what the runtime's programs are to be linked against. They are packages of the image in their turn, so this
/// comes before [`resolve`].
pub fn sysroot(
    spec: &ImageSpec,
    prior: Option<&Lock>,
    update: &Update,
    states: &[State],
    store: &Store,
) -> Result<Vec<LockedPackage>, PinError> {
    if spec.runtime().is_empty() {
        return Ok(Vec::new());
    }
    let prior = Prior::new(prior.map(|l| l.sysroot.as_slice()), update);
    let all = Texts::of(states);
    let archives: Vec<&str> = choose::official(spec).collect();
    let mut texts = all.only(|name| archives.contains(&name));
    let kept = prior.kept(&texts, store);
    for (archive, text) in &kept {
        texts.add(archive, text);
    }
    choose::sysroot(texts, spec.suite, &prior)
}

/// Chooses the versions from the archives' states; the store is asked for what the archives have no more.
pub fn resolve(request: &Request<'_>, states: Vec<State>, store: &Store) -> Result<Lock, PinError> {
    let all = Texts::of(&states);
    let (packages, tools) = thread::scope(|scope| {
        let tools = scope.spawn(|| resolve_tools(request, &all, store));
        let packages = resolve_packages(request, &all, store);
        let tools = tools.join().unwrap_or_else(|_| Err(Error::internal("resolving the tools panicked").into()));
        // The profile's own fault goes first.
        Ok::<_, PinError>((packages?, tools?))
    })?;
    drop(all);
    Ok(assemble(request, states.into_iter().map(|s| s.locked).collect(), packages, tools))
}

fn resolve_packages(request: &Request<'_>, all: &Texts<'_>, store: &Store) -> Result<Vec<LockedPackage>, PinError> {
    let prior = Prior::new(request.prior.map(|l| l.packages.as_slice()), request.update);
    let runtime = texts::runtime_text(request.runtime);
    let mut texts = all.only(|name| name != TOOLS_ARCHIVE);
    let kept = prior.kept(&texts, store);
    texts.add(RUNTIME, &runtime);
    for (archive, text) in &kept {
        texts.add(archive, text);
    }
    let packages = choose::packages(texts, request, &prior)?;
    // It may come as somebody's dependency, too.
    match packages.iter().find(|p| is_live_config(&p.name)) {
        None => Ok(packages),
        Some(found) => Err(Error::input(format!(
            "`{}` would enter the image: it makes a user with a known password and logs it in",
            found.name
        ))
        .help("remove the package that brings it; `apt-cache rdepends live-config` lists those that may")
        .into()),
    }
}

fn resolve_tools(request: &Request<'_>, all: &Texts<'_>, store: &Store) -> Result<Vec<LockedPackage>, PinError> {
    let prior = Prior::new(request.prior.map(|l| l.tools.as_slice()), request.update);
    let archives = tools_archives(&request.spec.archives);
    let mut texts = all.only(|name| if archives.is_empty() { name == TOOLS_ARCHIVE } else { archives.contains(&name) });
    let kept = prior.kept(&texts, store);
    for (archive, text) in &kept {
        texts.add(archive, text);
    }
    choose::tools(texts, &prior)
}

/// The archives that are read: the spec's, and one for the tools if none of those serves.
fn archives(spec: &ImageSpec) -> Vec<ArchiveSpec> {
    let mut archives = spec.archives.clone();
    if tools_archive(&archives).is_none() {
        archives.push(tools_spec());
    }
    archives
}

/// Where tools come from if the target's own archive does not have them.
pub fn tools_spec() -> ArchiveSpec {
    ArchiveSpec {
        name: TOOLS_ARCHIVE.to_owned(),
        kind: ArchiveKind::Debian,
        suite: TOOLS_SUITE.to_owned(),
        components: vec!["main".to_owned()],
        uri: "http://deb.debian.org/debian".to_owned(),
    }
}

/// The target's own archives that tools may come from. Its updates are among them, so that live-build can install tools
/// beside the target's packages for a while.
fn tools_archives(archives: &[ArchiveSpec]) -> Vec<&str> {
    if tools_archive(archives).is_none() {
        return Vec::new();
    }
    let ours = |a: &&ArchiveSpec| !matches!(a.kind, ArchiveKind::Extra { .. }) && a.suite.starts_with(TOOLS_SUITE);
    archives.iter().filter(ours).map(|a| a.name.as_str()).collect()
}

fn tools_archive(archives: &[ArchiveSpec]) -> Option<&ArchiveSpec> {
    archives.iter().find(|a| a.kind == ArchiveKind::Debian && a.suite == TOOLS_SUITE)
}

/// Reads the archives side by side; the first error in their order counts.
fn load_all(archives: &[ArchiveSpec], edges: Edges<'_>) -> Result<Vec<State>> {
    thread::scope(|scope| {
        let loads: Vec<_> = archives.iter().map(|a| scope.spawn(move || state::load(a, edges))).collect();
        let join = |load: thread::ScopedJoinHandle<'_, Result<State>>| {
            load.join().unwrap_or_else(|_| Err(Error::internal("reading an archive panicked")))
        };
        loads.into_iter().map(join).collect()
    })
}

/// Names that are to be updated must be in the lock.
pub fn known_names(prior: Option<&Lock>, update: &Update) -> Result<()> {
    let Update::Only(names) = update else { return Ok(()) };
    let locked = || {
        let packages = prior.into_iter().flat_map(|l| l.packages.iter().chain(&l.tools).chain(&l.sysroot));
        packages.map(|p| p.name.as_str())
    };
    for name in names {
        if !locked().any(|known| known == name) {
            let error = Error::input(format!("the package `{name}` is not in the lock"));
            return Err(match similar(locked(), name) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("`lock --update` without a name updates all"),
            });
        }
    }
    Ok(())
}

fn assemble(
    request: &Request<'_>,
    archives: Vec<LockedArchive>,
    packages: Vec<LockedPackage>,
    tools: Vec<LockedPackage>,
) -> Lock {
    let prior = request.prior;
    let same_packages =
        prior.is_some_and(|p| p.packages == packages && p.tools == tools && p.sysroot == request.sysroot);
    // The epoch goes into every byte's date, so it moves only when all moves.
    let kept = prior.filter(|_| same_packages || *request.update != Update::All).map(|p| p.epoch);
    let targets = archives.iter().filter(|a| a.name != TOOLS_ARCHIVE);
    let newest = targets.map(|a| a.date).max().unwrap_or_default();
    let epoch = request.epoch.or(kept).unwrap_or(newest);
    let spec = request.spec.digest();
    let unchanged = prior.filter(|p| same_packages && p.spec == spec && p.epoch == epoch);
    Lock {
        format: FORMAT,
        spec,
        parts: lock::parts(request.spec),
        epoch,
        outputs: unchanged.and_then(|p| p.outputs.clone()),
        ids: prior.map_or_else(|| Ids { users: BTreeMap::new(), groups: BTreeMap::new() }, |p| p.ids.clone()),
        archives,
        packages,
        tools,
        sysroot: request.sysroot.to_vec(),
    }
}
