//! The native engine's work, done inside a worker: dpkg unpacks and configures on a scratch file system, and layers are
//! packed straight from there.

#![allow(clippy::disallowed_methods, reason = "an edge: works in an unpacked system")]

mod accounts;
pub mod clean;
mod dpkg;
mod facts;
mod initrd;
mod marks;
mod order;
pub mod pack;
mod quick;
pub mod squash;
mod standins;
mod target;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use crate::engine::job::{
    BaseInput, BootRecord, Built, Facts, InitrdInput, LAYERS, LayerRecord, PackagesInput, Step, SystemJob,
};
use crate::error::{IoContext, Result};
use crate::lock::types::Ids;
use crate::store::Store;
use crate::workshop::{self, Voice, namespaces};
use crate::{Digest, Error};
use quick::Quick;
use squash::Pace;
use target::Target;

/// Makes what the job asks for. Layers are packed, and the initrd is made, while the work on the layers above goes on.
pub fn build(job: &SystemJob, store: &Store) -> Result<Built> {
    let work = Path::new(workshop::WORK);
    let (base_folder, packages_folder) = (work.join("base"), work.join("packages"));
    let layers = [packages_folder.clone(), base_folder.clone()];
    let quick = Quick::new(&job.modules, store);
    let pace = Pace::new(job.initrd.is_some());
    let context = Context { job, store, quick: &quick, pace: &pace };
    std::thread::scope(|scope| {
        if job.initrd.is_some() {
            scope.spawn(|| quick.prepare());
        }
        let pack = |folder: &Path, made: Option<Unpacked>| {
            let folder = folder.to_owned();
            made.map(|made| scope.spawn(move || context.squash(&folder, made)))
        };
        let base = pack(&base_folder, context.base(&base_folder)?);

        let early = context.initrd(false).map(|input| {
            let below = &layers[1..];
            scope.spawn(move || context.boot(input, below))
        });

        let packages = pack(&packages_folder, context.packages(&base_folder, &packages_folder)?);

        let late = context.initrd(true).map(|input| context.boot(input, &layers)).transpose()?;
        let early = joined(early, "making the initrd")?;
        context.pace.hurry(&job.log);
        Ok(Built {
            base: joined(base, "packing a layer")?,
            packages: joined(packages, "packing a layer")?,
            boot: early.or(late),
        })
    })
}

fn joined<T>(handle: Option<ScopedJoinHandle<'_, Result<T>>>, what: &str) -> Result<Option<T>> {
    handle.map(|h| h.join().unwrap_or_else(|_| Err(Error::internal(format!("{what} failed"))))).transpose()
}

/// A layer that is made and has to be packed.
struct Unpacked {
    key: Digest,
    facts: Facts,
    /// Known of the packages layer only.
    feeds_initrd: Option<bool>,
}

#[derive(Clone, Copy)]
struct Context<'a> {
    job: &'a SystemJob,
    store: &'a Store,
    quick: &'a Quick,
    pace: &'a Pace,
}

impl Context<'_> {
    /// Leaves the base system in `folder`; answers with what it is if it has to be packed.
    fn base(&self, folder: &Path) -> Result<Option<Unpacked>> {
        match &self.job.base {
            Step::Reuse(digest) if self.needs_base() => self.unsquash(digest, folder).map(|()| None),
            Step::Reuse(_) => Ok(None),
            Step::Make(key, input) => {
                Ok(Some(Unpacked { key: *key, facts: self.make_base(input, folder)?, feeds_initrd: None }))
            }
        }
    }

    /// True if something is to be made on top of the base.
    fn needs_base(&self) -> bool {
        self.job.initrd.is_some() || matches!(self.job.packages, Step::Make(..))
    }

    fn make_base(&self, input: &BaseInput, folder: &Path) -> Result<Facts> {
        Voice.say("base", &format!("{} packages", input.essential.len() + input.others.len()));
        let all: Vec<_> = input.essential.iter().chain(&input.others).collect();
        self.keeping_ids(
            |ids| {
                fs::create_dir_all(folder).at("create", folder)?;
                dpkg::bootstrap(folder, &input.essential, self.job.epoch, self.store)?;
                let target = Target::enter(folder, self.job)?;
                dpkg::install_base(&target, &all, ids, self.quick, self.store)?;
                target.leave()?;
                clean::clean(folder)?;
                facts::gather(folder)
            },
            || fs::remove_dir_all(folder).at("remove", folder),
        )
    }

    /// Makes a layer, and if its users' or groups' numbers are not the lock's, once more with those.
    fn keeping_ids(
        &self,
        make: impl Fn(Option<&Ids>) -> Result<Facts>,
        undo: impl FnOnce() -> Result<()>,
    ) -> Result<Facts> {
        let facts = make(None)?;
        let Some(ids) = accounts::to_keep(&self.job.ids, &facts.accounts.ids()) else { return Ok(facts) };
        Voice.say("ids", "once more, with the lock's numbers of system users");
        undo()?;
        make(Some(&ids))
    }

    /// Leaves what the packages layer adds in `upper`; answers with what it is if it has to be packed.
    fn packages(&self, base: &Path, upper: &Path) -> Result<Option<Unpacked>> {
        match &self.job.packages {
            Step::Reuse(digest) if self.initrd(true).is_some() => self.unsquash(digest, upper).map(|()| None),
            Step::Reuse(_) => Ok(None),
            Step::Make(key, input) => {
                let facts = self.make_packages(input, base, upper)?;
                Ok(Some(Unpacked { key: *key, facts, feeds_initrd: Some(input.feeds_initrd) }))
            }
        }
    }

    fn make_packages(&self, input: &PackagesInput, base: &Path, upper: &Path) -> Result<Facts> {
        Voice.say("packages", &format!("{} packages", input.debs.len()));
        self.keeping_ids(
            |ids| {
                let merged = overlay("packages", &[base.to_owned()], upper)?;
                self.fill_packages(input, &merged, ids)?;
                let facts = facts::gather(&merged)?;
                namespaces::detach(&merged)?;
                Ok(facts)
            },
            || fs::remove_dir_all(upper).at("remove", upper),
        )
    }

    fn fill_packages(&self, input: &PackagesInput, merged: &Path, ids: Option<&Ids>) -> Result<()> {
        let target = Target::enter(merged, self.job)?;
        dpkg::install(&target, &input.debs.iter().collect::<Vec<_>>(), ids, self.quick, self.store)?;
        pack::write_tree(&input.units, merged, self.job.epoch)?;
        ids.map_or(Ok(()), |ids| accounts::sysusers(ids, &target))?;
        for command in &input.commands {
            target.run(command)?;
        }
        target.run(&["systemctl".into(), "preset-all".into()])?;
        target.leave()?;
        clean::clean(merged)
    }

    /// What the initrd is made of, if it is to be made, on the layers named.
    fn initrd(&self, on_packages: bool) -> Option<&InitrdInput> {
        self.job.initrd.as_ref().filter(|input| input.on_packages == on_packages)
    }

    /// Makes kernel and initrd artefacts from the layers given top first.
    fn boot(&self, input: &InitrdInput, layers: &[PathBuf]) -> Result<BootRecord> {
        let merged = overlay("initrd", layers, &Path::new(workshop::WORK).join("initrd-upper"))?;
        pack::write_tree(&input.files, &merged, self.job.epoch)?;
        let target = Target::enter(&merged, self.job)?;
        let record = initrd::make(&target, &merged, self.quick, self.store)?;
        target.leave()?;
        namespaces::detach(&merged)?;
        self.store.put_record(LAYERS, &input.key.to_string(), &record)?;
        Ok(record)
    }

    /// Packs a layer and keeps it, whatever becomes of the rest of the build.
    fn squash(&self, folder: &Path, made: Unpacked) -> Result<LayerRecord> {
        let (digest, size) =
            squash::squash_folder(folder, self.job.epoch, self.job.compression, self.store, &self.job.log, self.pace)?;
        let Unpacked { key, facts, feeds_initrd } = made;
        let record = LayerRecord { digest, size, facts, feeds_initrd };
        self.store.put_record(LAYERS, &key.to_string(), &record)?;
        Ok(record)
    }

    fn unsquash(&self, digest: &Digest, folder: &Path) -> Result<()> {
        squash::unsquash(&self.store.object(digest), folder, &self.job.log)
    }
}

fn overlay(name: &str, lower: &[PathBuf], upper: &Path) -> Result<PathBuf> {
    let work = Path::new(workshop::WORK);
    let at = work.join(format!("{name}-merged"));
    namespaces::overlay(lower, upper, &work.join(format!("{name}-work")), &at)?;
    Ok(at)
}
