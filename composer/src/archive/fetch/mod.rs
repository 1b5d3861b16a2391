//! Brings locked packages into the store: from a vendor archive, from a shared store, from mirrors, from a snapshot server; in
//! parallel, each checked against the lock.

#[cfg(test)]
mod tests;

use super::net::{Wanted, shown};
use super::pin::{RUNTIME, tools_spec};
use super::snapshot;
use super::sources::Sources;
use crate::lock::types::{LockedPackage, Output};
use crate::progress::{Progress, Task};
use crate::spec::types::ArchiveSpec;
use crate::store::Store;
use crate::{Error, Result, parallel};

const THREADS: usize = 4;

/// What a second run that lacks packages waits for.
const WAITED_FOR: &str = "other downloads";

/// Sees to it that the store holds all of `packages`. `archives` are the spec's.
pub fn fetch(
    packages: &[&LockedPackage],
    archives: &[ArchiveSpec],
    sources: &Sources,
    store: &Store,
    progress: &Progress,
    offline: bool,
) -> Result<()> {
    if missing(packages, store).is_empty() {
        return Ok(());
    }
    // A second run waits here and then finds everything; so no partial file has two writers.
    let _guard = store.lock("downloads", WAITED_FOR, progress)?;
    let wrong = from_vendor(packages, sources, store, progress)?;
    from_shared(packages, sources, store, progress)?;
    let wanted = missing(packages, store);
    if wanted.is_empty() {
        return Ok(());
    }
    refuse_unfetchable(&wanted, sources, offline).map_err(|e| wrong.into_iter().fold(e, Error::detail))?;
    let tools = tools_spec();
    let known: Vec<&ArchiveSpec> = archives.iter().chain([&tools]).collect();
    let task = progress.bytes("download", wanted.iter().map(|p| p.size).sum());
    let edges = Edges { sources, store, progress, task: &task };
    let result = parallel::map(&wanted, THREADS, |package| one(package, archive_of(package, &known)?, edges));
    task.finish();
    result.map(|_| ())
}

/// Gives the store what the vendor archive or the shared store has of `packages`, whoever built them; mirrors are not asked.
pub fn supply(packages: &[&LockedPackage], sources: &Sources, store: &Store, progress: &Progress) -> Result<()> {
    if (sources.vendor.is_none() && sources.shared.is_none()) || missing(packages, store).is_empty() {
        return Ok(());
    }
    let _guard = store.lock("downloads", WAITED_FOR, progress)?;
    from_vendor(packages, sources, store, progress)?;
    from_shared(packages, sources, store, progress)
}

/// What the shared store has of them; the rest is for the mirrors.
fn from_shared(packages: &[&LockedPackage], sources: &Sources, store: &Store, progress: &Progress) -> Result<()> {
    let Some(shared) = &sources.shared else { return Ok(()) };
    let wanted = missing(packages, store).into_iter().map(|p| Output { sha256: p.sha256, size: p.size });
    let came = shared.pull_all(&wanted.collect::<Vec<_>>(), THREADS, store)?.into_iter().filter(|came| *came).count();
    if came > 0 {
        progress.say("shared", &format!("{came} packages pulled from {}", shared.place()));
    }
    Ok(())
}

fn from_vendor(
    packages: &[&LockedPackage],
    sources: &Sources,
    store: &Store,
    progress: &Progress,
) -> Result<Vec<String>> {
    sources.vendor.as_ref().map_or(Ok(Vec::new()), |vendor| vendor.supply(packages, store, progress))
}

/// What a download works with.
#[derive(Clone, Copy)]
struct Edges<'e> {
    sources: &'e Sources,
    store: &'e Store,
    progress: &'e Progress,
    task: &'e Task,
}

fn archive_of<'a>(package: &LockedPackage, known: &[&'a ArchiveSpec]) -> Result<&'a ArchiveSpec> {
    known.iter().copied().find(|a| a.name == package.archive).ok_or_else(|| {
        Error::input(format!(
            "the lock takes `{}` from an archive `{}`, which the profile does not have",
            package.name, package.archive
        ))
        .help("make the lock anew with `lock --update`")
    })
}

/// What the store lacks. A file's presence is enough: its name is its hash, given when it was checked.
fn missing<'p>(packages: &[&'p LockedPackage], store: &Store) -> Vec<&'p LockedPackage> {
    packages.iter().copied().filter(|p| !store.contains(&p.sha256)).collect()
}

fn refuse_unfetchable(wanted: &[&LockedPackage], sources: &Sources, offline: bool) -> Result<()> {
    let vendor = sources.vendor.as_ref().map(|vendor| vendor.place().display().to_string());
    let elsewhere: Vec<String> =
        vendor.into_iter().chain(sources.shared.as_ref().map(|s| s.place().to_owned())).collect();
    let looked = match elsewhere.as_slice() {
        [] => "not in the store".to_owned(),
        places => format!("neither in the store nor in {}", places.join(" nor in ")),
    };
    if let Some(own) = wanted.iter().find(|p| p.archive == RUNTIME) {
        return Err(Error::input(format!("{} is {looked}, and it is built here", own.filename)).help(
            "build from a checkout, give the folder that holds it with --runtime, or a vendor archive with --vendor",
        ));
    }
    if offline {
        let names: Vec<&str> = wanted.iter().map(|p| p.name.as_str()).take(10).collect();
        let more = if wanted.len() > names.len() { ", …" } else { "" };
        let message = format!("{} packages are {looked}: {}{more}", wanted.len(), names.join(", "));
        return Err(Error::network(message)
            .help("build once without --offline, or give a vendor archive that has them with --vendor"));
    }
    Ok(())
}

fn one(package: &LockedPackage, archive: &ArchiveSpec, edges: Edges<'_>) -> Result<()> {
    let Edges { sources, store, progress, task } = edges;
    let wanted = Wanted { path: &package.filename, size: package.size, sha256: package.sha256 };
    let what = format!("{} {}", package.name, package.version);
    let mirrors = sources.mirrors(archive);
    let got =
        sources.net.first(&mirrors, &what, progress, |client, mirror| client.download(mirror, &wanted, store, task));
    let gone = match got {
        Ok(_) => return Ok(()),
        Err(e) if e.kind() != crate::Kind::Network => return Err(e),
        Err(e) => e,
    };
    let Some(server) = sources.snapshot(archive) else { return Err(gone.help(outdated(package))) };
    let servers = std::slice::from_ref(server);
    let got = sources
        .net
        .first(servers, &what, progress, |client, server| snapshot::download(client, server, package, store, task));
    got.map(|_| progress.say("snapshot", &format!("{what} has left the mirrors: from {}", shown(server)))).map_err(
        |e| {
            if e.kind() != crate::Kind::Network {
                return e;
            }
            let error = Error::network(format!("neither a mirror nor the snapshot server serves {what}"));
            gone.causes().iter().chain(e.causes()).cloned().fold(error, Error::detail).help(outdated(package))
        },
    )
}

fn outdated(package: &LockedPackage) -> String {
    format!(
        "mirrors keep only the newest versions: take the one of today with `lock --update {}`, or give a vendor archive that \
         has this one with --vendor",
        package.name
    )
}
