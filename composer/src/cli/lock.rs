//! `lock`, and the lock that the other verbs work from.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::archive::{self, Edges, LocalDeb, Request, Sources, Update};
use crate::cli::args::{Global, Lock as LockArgs};
use crate::cli::project::{Project, open_store};
use crate::error::{IoContext, Result};
use crate::lock::types::LockedPackage;
use crate::lock::{self, Lock};
use crate::runtime;
use crate::store::Store;
use crate::workshop::Tools;
use crate::{Error, cli};

pub fn run(args: &LockArgs, global: &Global) -> Result<()> {
    let project = Project::open(&args.profile, global)?;
    let store = open_store(global)?;
    let _using = store.lock_shared("in-use", &project.progress)?;
    let _mine = project.alone(&store)?;
    let update = match &args.update {
        None => Update::Keep,
        Some(names) if names.is_empty() => Update::All,
        Some(names) => Update::Only(names.clone()),
    };
    let sources = project.sources(global, false)?;
    let prior = prior(&project, &sources, &store)?;
    let ground = Ground { project: &project, sources: &sources, store: &store, global, offline: false };
    let lock = ground.pin(prior.as_ref(), &update)?;
    save(&project, prior.as_ref(), &lock)
}

/// The lock that there is. A vendor archive gives the runtime's packages that it names, which no mirror has.
fn prior(project: &Project, sources: &Sources, store: &Store) -> Result<Option<Lock>> {
    let prior = lock::file::read(&project.lock_path())?;
    if let Some(lock) = &prior {
        archive::supply(&of_runtime(lock), sources, store, &project.progress)?;
    }
    Ok(prior)
}

/// How strictly a verb takes the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Make a missing lock, mend a stale one. Archives are read only if other packages may be asked for.
    Mend,
    /// Refuse both.
    Locked,
}

/// The lock that a build works from.
pub fn obtain(
    project: &Project,
    strictness: Strictness,
    offline: bool,
    sources: &Sources,
    store: &Store,
    global: &Global,
) -> Result<Lock> {
    let path = project.lock_path();
    let prior = prior(project, sources, store)?;
    let stale = match &prior {
        None => Some(vec![format!("{} does not exist", path.display())]),
        Some(lock) => lock::stale(lock, project.spec()),
    };
    let ground = Ground { project, sources, store, global, offline };
    if strictness == Strictness::Locked {
        return match (prior, stale) {
            (Some(lock), None) => {
                ground.supply_runtime(&lock)?;
                Ok(lock)
            }
            (_, reasons) => Err(refused(project, &reasons.unwrap_or_default())),
        };
    }
    if let Some(lock) = &prior {
        let kept = match &stale {
            None => Some(lock.clone()),
            Some(parts) => lock::renewed(lock, project.spec(), parts, epoch()?),
        };
        // A stale lock may name packages to link against that are gone: then another is made, from others.
        let has_runtime = |lock: &Lock| match ground.runtime_debs(Some(lock), &lock.sysroot) {
            Err(_) if stale.is_some() && !offline => Ok(false),
            debs => debs.map(|debs| same_runtime(lock, &debs)),
        };
        if let Some(kept) = kept
            && has_runtime(lock)?
        {
            if stale.is_some() {
                save(project, Some(lock), &kept)?;
            }
            return Ok(kept);
        }
    }
    let reasons = stale.unwrap_or_else(|| vec!["the runtime's packages changed".into()]);
    if offline {
        return Err(refused(project, &reasons));
    }
    let lock = ground.pin(prior.as_ref(), &Update::Keep)?;
    save(project, prior.as_ref(), &lock)?;
    Ok(lock)
}

fn refused(project: &Project, reasons: &[String]) -> Error {
    let path = project.lock_path();
    let error = Error::input(format!("the lock {} does not fit the profile", path.display()));
    let error = reasons.iter().fold(error, |e, reason| e.detail(reason.clone()));
    error.help(format!("run `borg-compose lock --profile {}` and commit the result", project.path.display()))
}

/// What a lock is made from and with.
struct Ground<'a> {
    project: &'a Project,
    sources: &'a Sources,
    store: &'a Store,
    global: &'a Global,
    offline: bool,
}

impl Ground<'_> {
    /// A new lock: what the runtime is linked against, then the runtime, then all the rest.
    fn pin(&self, prior: Option<&Lock>, update: &Update) -> Result<Lock> {
        let (project, store) = (self.project, self.store);
        let spec = project.spec();
        let edges = Edges { sources: self.sources, store, progress: &project.progress, now: now() };
        let epoch = epoch()?;
        archive::pin::known_names(prior, update)?;
        let states = archive::pin::load(spec, edges)?;
        let point = |e| cli::report::point(e, &project.loaded.view);
        let sysroot = archive::pin::sysroot(spec, prior, update, &states, store).map_err(point)?;
        let runtime = self.runtime_debs(prior, &sysroot)?;
        let request = Request { spec, prior, update, runtime: &runtime, sysroot: &sysroot, epoch };
        archive::pin::resolve(&request, states, store).map_err(point)
    }

    /// The runtime's packages, fit for the suite: built in a checkout, or from a folder, or those of the lock in the store.
    fn runtime_debs(&self, prior: Option<&Lock>, sysroot: &[LockedPackage]) -> Result<Vec<LocalDeb>> {
        let (project, store) = (self.project, self.store);
        let here = std::env::current_dir().at("find", Path::new("."))?;
        let names = project.spec().runtime();
        let found = match runtime::Source::find(self.global.runtime.as_deref(), &here) {
            Ok(source) => {
                let unpack = || self.unpack(sysroot);
                let sysroot = runtime::Sysroot { packages: sysroot, unpack: &unpack };
                runtime::debs(&names, &source, &sysroot, store, &project.progress, self.offline)?
            }
            Err(nowhere) => {
                // Those of services that were left out since stay behind.
                let mut locked: Vec<_> = prior.map(of_runtime).unwrap_or_default();
                locked.retain(|package| names.contains(&package.name.as_str()));
                let complete = names.iter().all(|name| locked.iter().any(|p| p.name == *name));
                if !complete {
                    return Err(nowhere);
                }
                runtime::from_store(&locked, store)?
            }
        };
        let described = |deb: &runtime::LocalDeb| {
            runtime::check_glibc(deb, project.spec().suite)?;
            LocalDeb::read(&store.object(&deb.sha256), &deb.filename)
        };
        found.iter().map(described).collect()
    }

    /// A folder with the sysroot's packages, which are fetched only when something is to be linked.
    fn unpack(&self, sysroot: &[LockedPackage]) -> Result<PathBuf> {
        let (archives, progress) = (&self.project.spec().archives, &self.project.progress);
        let fetch = |packages: &[&LockedPackage]| {
            archive::fetch(packages, archives, self.sources, self.store, progress, self.offline)
        };
        let packages: Vec<&LockedPackage> = sysroot.iter().collect();
        fetch(&packages)?;
        Tools::checked(&packages, self.store, progress, |package| fetch(&[package])).map(|tools| tools.root)
    }

    /// Sees to it that the store holds the runtime's packages that the lock names: on a new machine they are made again, and
    /// must come out the same.
    fn supply_runtime(&self, lock: &Lock) -> Result<()> {
        let missing = || of_runtime(lock).into_iter().find(|p| !self.store.contains(&p.sha256));
        if missing().is_none() {
            return Ok(());
        }
        let made = self.runtime_debs(Some(lock), &lock.sysroot)?;
        let Some(package) = missing() else { return Ok(()) };
        let other = made.iter().find(|deb| deb.name() == package.name).map_or("none", |deb| deb.filename.as_str());
        Err(Error::input(format!("the lock names {}, but the runtime here makes {other}", package.filename)).help(
            "give the folder with the locked .debs by --runtime, check out the commit that the lock was made with and \
             use its version of Rust, or lock again",
        ))
    }
}

fn of_runtime(lock: &Lock) -> Vec<&LockedPackage> {
    lock.packages.iter().filter(|p| p.archive == archive::pin::RUNTIME).collect()
}

fn same_runtime(lock: &Lock, debs: &[LocalDeb]) -> bool {
    let mut locked: Vec<_> = of_runtime(lock).iter().map(|p| p.sha256).collect();
    let mut built: Vec<_> = debs.iter().map(|d| d.sha256).collect();
    locked.sort_unstable();
    built.sort_unstable();
    locked == built
}

/// SOURCE_DATE_EPOCH is read here, when locking, and nowhere else.
fn epoch() -> Result<Option<u64>> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) if !text.is_empty() => {
            let wrong = |e: &dyn std::error::Error| {
                Error::usage(format!("SOURCE_DATE_EPOCH is `{}`, not a number of 32 bits", text.escape_debug()))
                    .because(e)
                    .help("give seconds since 1970, or unset it")
            };
            // squashfs and ISO 9660 tools count in 32 bits.
            let epoch = u64::from(text.parse::<u32>().map_err(|e| wrong(&e))?);
            if epoch > now() {
                return Err(Error::usage(format!(
                    "SOURCE_DATE_EPOCH is {epoch}, {}: that is yet to come",
                    date(epoch)
                ))
                .help("give a time that is past, or unset it"));
            }
            Ok(Some(epoch))
        }
        _ => Ok(None),
    }
}

/// Refuses to build by a clock that is behind the lock's epoch: no byte of the image is younger than that, and whatever a
/// tool makes now would be older than it is elsewhere.
pub fn not_too_early(lock: &Lock) -> Result<()> {
    let now = now();
    if now >= lock.epoch {
        return Ok(());
    }
    let (now, epoch) = (date(now), date(lock.epoch));
    Err(Error::host(format!("the clock says {now}, and the lock's epoch is {epoch}: the image would get other bytes"))
        .help("set the clock; if it is right, the lock is from a machine whose clock was not: lock again"))
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

fn date(seconds: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(seconds).unwrap_or(0)).unwrap_or(Timestamp::MAX)
}

/// Writes the lock if it changed, and says each change.
fn save(project: &Project, prior: Option<&Lock>, lock: &Lock) -> Result<()> {
    let path = project.lock_path();
    if prior == Some(lock) {
        project.progress.say("lock", &format!("{} is up to date", path.display()));
        return Ok(());
    }
    match prior {
        Some(prior) => {
            for change in lock::diff(prior, lock) {
                project.progress.say("lock", &change.to_string());
            }
        }
        None => project.progress.say("lock", &format!("{} packages, {} tools", lock.packages.len(), lock.tools.len())),
    }
    lock::file::write(&path, lock)
}
