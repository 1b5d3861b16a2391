//! Downloads locked packages into the store: in parallel, resumed, each checked against the lock.

#[cfg(test)]
mod tests;

use super::net::Wanted;
use super::pin::{RUNTIME, tools_spec};
use super::sources::Sources;
use crate::lock::types::LockedPackage;
use crate::progress::{Progress, Task};
use crate::spec::types::ArchiveSpec;
use crate::store::Store;
use crate::{Error, Result, parallel};

const THREADS: usize = 4;

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
    let _guard = store.lock("downloads", "the downloads of another run", progress)?;
    let wanted = missing(packages, store);
    if wanted.is_empty() {
        return Ok(());
    }
    refuse_unfetchable(&wanted, offline)?;
    let mirrors = |package: &LockedPackage| {
        let tools = tools_spec();
        let own = archives.iter().find(|a| a.name == package.archive);
        let archive = own.or((package.archive == tools.name).then_some(&tools));
        archive.map(|a| sources.mirrors(a)).ok_or_else(|| {
            Error::input(format!(
                "the lock takes `{}` from an archive `{}`, which the profile does not have",
                package.name, package.archive
            ))
            .help("make the lock anew with `lock --update`")
        })
    };
    let task = progress.bytes("download", wanted.iter().map(|p| p.size).sum());
    let result =
        parallel::map(&wanted, THREADS, |package| one(package, &mirrors(package)?, sources, store, progress, &task));
    task.finish();
    result.map(|_| ())
}

/// What the store lacks. A file's presence is enough: its name is its hash, given when it was checked.
fn missing<'p>(packages: &[&'p LockedPackage], store: &Store) -> Vec<&'p LockedPackage> {
    packages.iter().copied().filter(|p| !store.contains(&p.sha256)).collect()
}

fn refuse_unfetchable(wanted: &[&LockedPackage], offline: bool) -> Result<()> {
    if let Some(own) = wanted.iter().find(|p| p.archive == RUNTIME) {
        return Err(Error::input(format!("the store has no {}, which is built here", own.filename))
            .help("build from a checkout, or give the folder that holds it with --runtime"));
    }
    if offline {
        let names: Vec<&str> = wanted.iter().map(|p| p.name.as_str()).take(10).collect();
        let more = if wanted.len() > names.len() { ", …" } else { "" };
        let message = format!("{} packages are not in the store: {}{more}", wanted.len(), names.join(", "));
        return Err(Error::network(message).help("build once without --offline"));
    }
    Ok(())
}

fn one(
    package: &LockedPackage,
    mirrors: &[String],
    sources: &Sources,
    store: &Store,
    progress: &Progress,
    task: &Task,
) -> Result<()> {
    let wanted = Wanted { path: &package.filename, size: package.size, sha256: package.sha256 };
    let what = format!("{} {}", package.name, package.version);
    let got =
        sources.net.first(mirrors, &what, progress, |client, mirror| client.download(mirror, &wanted, store, task));
    got.map(|_| ()).map_err(|e| match e.kind() {
        crate::Kind::Network => e.help(format!(
            "mirrors keep only the newest versions: take the one of today with `lock --update {}`",
            package.name
        )),
        _ => e,
    })
}
