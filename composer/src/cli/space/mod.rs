//! What a build will download and write, foreseen before it writes anything.

mod estimate;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::cli::workbench::{hindrance, tools_of};
use crate::engine::ready;
use crate::engine::system::{Missing, Plan, System};
use crate::error::Result;
use crate::lock::types::LockedPackage;
use crate::progress::Progress;
use crate::store::Store;
use crate::workshop::{Tools, host};
use crate::{Error, engine};
use estimate::Facts;

pub use estimate::{Sizes, Yield};

/// Records of what the last build of each profile came to, by the profile's name.
const SIZES: &str = "sizes";

/// What a build is about to do.
#[derive(Debug, Clone, Copy)]
pub struct Aims<'a> {
    pub plan: &'a Plan<'a>,
    pub out: &'a Path,
    pub on_disk: bool,
    /// Another engine makes everything anew, whatever there is.
    pub everything: bool,
}

/// What was said of a build.
#[derive(Debug)]
pub struct Foreseen {
    facts: Facts,
    /// A shared store may spare it most of it, but need not.
    shared: bool,
}

impl Foreseen {
    fn say(&self, progress: &Progress) {
        let estimate = self.facts.estimate();
        if estimate.store == 0 {
            return;
        }
        let at_most = |bound: bool| if bound { "up to " } else { "" };
        let text = format!(
            "{}{} to download; the store takes {}{}, the ISO {}{}",
            at_most(self.shared),
            megabytes(self.facts.download),
            at_most(estimate.bound),
            megabytes(estimate.store),
            at_most(estimate.bound),
            megabytes(estimate.iso)
        );
        progress.say("plan", &text);
    }

    /// Says it again if the packages, now read, have answered what was open.
    pub fn settle(mut self, lacks_boot: bool, progress: &Progress) {
        if self.facts.missing.unsure && !self.shared {
            self.facts.missing = Missing { boot: lacks_boot, unsure: false, ..self.facts.missing };
            self.say(progress);
        }
    }
}

/// Says what is to come, and refuses when a disk cannot hold it.
pub fn foresee(aims: Aims<'_>, store: &Store, progress: &Progress) -> Result<Foreseen> {
    let foreseen = Foreseen { facts: look(aims, store)?, shared: aims.plan.shared.is_some() };
    foreseen.say(progress);
    let estimate = foreseen.facts.estimate();
    let places = [("the store", store.root(), estimate.store), ("the ISO", aims.out, estimate.iso)];
    let mut needs: BTreeMap<u64, (Vec<&str>, &Path, u64)> = BTreeMap::new();
    for (what, place, bytes) in places {
        // Places on one file system take from the same space.
        let need = needs.entry(device(place)).or_insert((Vec::new(), place, 0));
        need.0.push(what);
        need.2 = need.2.saturating_add(bytes);
    }
    needs.into_values().try_for_each(|(what, place, needed)| enough(&what.join(" and "), place, needed))?;
    Ok(foreseen)
}

/// Remembers what a build came to, for the next one's estimate.
pub fn remember(profile: &str, sizes: Sizes, store: &Store) -> Result<()> {
    if store.record::<Sizes>(SIZES, profile)? == Some(sizes) {
        return Ok(());
    }
    store.put_record(SIZES, profile, &sizes)
}

/// What a finished build came to.
pub fn sizes(plan: &Plan<'_>, system: &System, files_layer: u64, iso: u64, store: &Store) -> Result<Sizes> {
    let length = |object| std::fs::metadata(store.object(object)).map_or(0, |meta| meta.len());
    let [ready, modules] = ready::yielded(&plan.lock.packages, store)?.map(|(from, to)| Yield { from, to });
    Ok(Sizes {
        base: Yield { from: debs(&plan.of_base()), to: system.base.size },
        packages: Yield { from: debs(&plan.of_packages()), to: system.packages.size },
        kernel: length(&system.boot.kernel),
        initrd: length(&system.boot.initrd),
        files: Yield { from: plan.files.bytes(), to: files_layer },
        iso,
        ready,
        modules,
        compression: plan.compression,
    })
}

fn look(aims: Aims<'_>, store: &Store) -> Result<Facts> {
    let plan = aims.plan;
    let missing = if aims.everything { Missing::ALL } else { plan.missing(store)? };
    // Packages of layers that are there are not needed.
    let (base, packages) = (plan.of_base(), plan.of_packages());
    let needed = [(missing.base, &base), (missing.packages, &packages)];
    let needed: Vec<&LockedPackage> = needed.iter().filter(|(made, _)| *made).flat_map(|(_, p)| *p).copied().collect();
    let tools = tools_of(plan.lock, &["build"]);
    let unpacked = store.tree("tools", &Tools::key(&tools)).is_dir();
    let packed: &[&LockedPackage] = if unpacked { &[] } else { &tools };
    let mut raw = Vec::new();
    for package in &needed {
        if !ready::is_ready(&package.sha256, store)? {
            raw.push(*package);
        }
    }
    Ok(Facts {
        base: debs(&base),
        packages: debs(&packages),
        files: plan.files.bytes(),
        download: absent(needed.iter().chain(&tools).copied(), store),
        raw: debs(&raw),
        raw_kernels: debs(&raw.iter().copied().filter(|p| p.name.starts_with("linux-image-")).collect::<Vec<_>>()),
        packed_tools: debs(packed),
        missing,
        compression: plan.compression,
        alien: aims.everything,
        last: store.record(SIZES, plan.profile)?,
        scratch_on_disk: aims.on_disk || hindrance(engine::scratch_bytes(plan.lock)).is_some(),
    })
}

fn debs(packages: &[&LockedPackage]) -> u64 {
    packages.iter().map(|package| package.size).sum()
}

/// Bytes of the packages that the store lacks. One that is a tool and in the image too is fetched once.
fn absent<'l>(packages: impl Iterator<Item = &'l LockedPackage>, store: &Store) -> u64 {
    let lacking = packages.filter(|package| !store.contains(&package.sha256));
    lacking.map(|package| (package.sha256, package.size)).collect::<BTreeMap<_, _>>().into_values().sum()
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn device(place: &Path) -> u64 {
    std::fs::metadata(host::nearest(place)).map_or(0, |meta| meta.dev())
}

fn enough(what: &str, place: &Path, needed: u64) -> Result<()> {
    let free = host::free_bytes(place).unwrap_or(u64::MAX);
    if free >= needed {
        return Ok(());
    }
    let message =
        format!("{} are free at {}, but {what} may need {}", megabytes(free), place.display(), megabytes(needed));
    Err(Error::host(message)
        .help("free some space, run `borg-compose clean --all`, or choose another place with --store or --out"))
}
