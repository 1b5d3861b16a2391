//! Planning the system layers: what is reused, what is made, and why.

use std::collections::BTreeMap;

use crate::Digest;
use crate::engine::find::{self, Search, Slot};
use crate::engine::job::{BaseInput, BootRecord, Built, Deb, InitrdInput, LayerRecord, PackagesInput, Step, SystemJob};
use crate::engine::keys::Inputs;
use crate::engine::ready::{self, Shelf};
use crate::error::Result;
use crate::lock::types::{Lock, LockedPackage, Made, PackageLayer};
use crate::profile::types::Compression;
use crate::progress::Progress;
use crate::shared::{Shared, Trust};
use crate::store::{Guard, Store};
use crate::tree::Tree;

/// Files below these paths are copied into the initrd by initramfs-tools' or live-boot's hooks.
const INITRD_PATHS: [&str; 19] = [
    "etc/initramfs-tools/",
    "usr/share/initramfs-tools/",
    "etc/live/",
    "etc/modprobe.d/",
    "usr/lib/modprobe.d/",
    "etc/modules",
    "etc/udev/",
    "usr/lib/udev/",
    "etc/systemd/network/",
    "usr/lib/systemd/network/",
    "etc/ld.so.conf",
    "etc/console/",
    "etc/fstab",
    "etc/crypttab",
    "etc/default/keyboard",
    "etc/default/console-setup",
    "etc/lvm/",
    "etc/mdadm/",
    "usr/lib/firmware/",
];

/// Programs that live-boot's hook copies into the initrd if they are installed, beside those of the base system.
const INITRD_PROGRAMS: [&str; 9] = [
    "usr/bin/curlftpfs",
    "usr/bin/eject",
    "usr/bin/httpfs2",
    "usr/bin/httpfs2_ssl",
    "usr/bin/loadkeys",
    "usr/bin/memdiskfind",
    "usr/bin/rsync",
    "usr/sbin/iscsistart",
    "usr/sbin/mount.cifs",
];

/// What the base layer is made of.
const BASE: [PackageLayer; 2] = [PackageLayer::Essential, PackageLayer::Base];

/// True if a change of this file changes the initrd.
pub fn goes_into_initrd(path: &str) -> bool {
    INITRD_PROGRAMS.contains(&path) || INITRD_PATHS.iter().any(|p| path.starts_with(p)) && !path.ends_with(".network")
}

/// Everything that decides the system layers.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The profile's name, under which the last inputs are remembered.
    pub profile: &'a str,
    pub lock: &'a Lock,
    /// Where layers that this machine lacks are looked for, and whose records are believed.
    pub shared: Option<&'a Shared>,
    pub trust: &'a Trust,
    pub compression: Compression,
    /// Unit files and preset policy.
    pub units: &'a Tree,
    /// The profile's files.
    pub files: &'a Tree,
    pub commands: &'a [Vec<String>],
}

/// The system layers, finished.
#[derive(Debug, Clone)]
pub struct System {
    pub base: LayerRecord,
    pub packages: LayerRecord,
    pub boot: BootRecord,
    /// Of base, packages and initrd.
    pub made: [Made; 3],
}

/// Which of the system layers a build would have to make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missing {
    pub base: bool,
    pub packages: bool,
    /// Kernel and initrd.
    pub boot: bool,
    /// That `boot` is missing is only feared: packages that were never read tell whether they change it.
    pub unsure: bool,
}

impl Missing {
    pub const ALL: Missing = Missing { base: true, packages: true, boot: true, unsure: false };
}

/// What there is of the system layers, and what is to be made.
#[derive(Debug)]
pub struct Found<'p> {
    plan: &'p Plan<'p>,
    base: Slot<LayerRecord>,
    packages: Slot<LayerRecord>,
    boot: Slot<BootRecord>,
    on_packages: bool,
    /// The packages that the missing layers are made of, as the engine takes them.
    pub shelf: Shelf,
    /// Held until what is missing is made.
    _mine: Vec<Guard>,
}

impl Plan<'_> {
    /// Finds the layers in the store or the shared one; says which were reused and why others were not. Packages that are
    /// needed for the others are made ready by `supply`.
    pub fn find(
        &self,
        store: &Store,
        progress: &Progress,
        supply: impl Fn(&[&LockedPackage]) -> Result<Shelf>,
    ) -> Result<Found<'_>> {
        let search = Search { plan: self, store, progress };
        // Of several builds that lack the same layer one makes it; the others wait here and reuse it. Locks are taken from
        // below upwards, so that no two builds wait for each other.
        let mut mine = Vec::new();
        let mut base = search.look("base", self.base_inputs(), |record| self.has_locked_ids(record), &mut mine)?;
        let inputs = self.packages_inputs(&base.key);
        let mut packages = search.look("packages", inputs, |record| self.has_locked_ids(record), &mut mine)?;
        let mut shelf = Shelf::new();
        let on_packages = if let Some(feeds) = packages.known().and_then(|record: &LayerRecord| record.feeds_initrd) {
            feeds
        } else {
            // Only the packages themselves tell.
            let below = self.of(if base.known().is_none() { &BASE } else { &[] });
            shelf = supply(&below.chain(self.of(&[PackageLayer::Packages])).collect::<Vec<_>>())?;
            self.feeds_initrd(&shelf)
        };
        let (below, key) = if on_packages { ("packages", packages.key) } else { ("base", base.key) };
        let mut boot = search.look("initrd", self.initrd_inputs(below, &key), |_: &BootRecord| true, &mut mine)?;
        search.pull(&mut base, &mut packages, &mut boot)?;
        search.say(&base)?;
        search.say(&packages)?;
        search.say(&boot)?;
        let missing = [(base.record.is_none(), &BASE[..]), (packages.record.is_none(), &[PackageLayer::Packages])];
        let missing: Vec<PackageLayer> =
            missing.iter().filter(|(lacks, _)| *lacks).flat_map(|(_, l)| *l).copied().collect();
        let lacking: Vec<_> = self.of(&missing).filter(|p| !shelf.contains_key(&p.sha256)).collect();
        shelf.extend(supply(&lacking)?);
        Ok(Found { plan: self, base, packages, boot, on_packages, shelf, _mine: mine })
    }

    /// What the store lacks, before anything is brought or read. What cannot be known yet counts as missing.
    pub fn missing(&self, store: &Store) -> Result<Missing> {
        let base_key = self.base_inputs().key();
        let packages_key = self.packages_inputs(&base_key).key();
        let layer = |name: &str, key: &Digest| -> Result<Option<LayerRecord>> {
            let record = find::known::<LayerRecord>(store, self.lock, name, key)?.map(|(record, _)| record);
            Ok(record.filter(|record| self.has_locked_ids(record) && store.contains(&record.digest)))
        };
        let (base, packages) = (layer("base", &base_key)?, layer("packages", &packages_key)?);
        let feeds = match packages.as_ref().and_then(|record| record.feeds_initrd) {
            Some(feeds) => Some(feeds),
            None => ready::feed_initrd(self.of(&[PackageLayer::Packages]), store)?,
        };
        let boot = match feeds {
            None => None,
            Some(feeds) => {
                let (below, key) = if feeds { ("packages", &packages_key) } else { ("base", &base_key) };
                let key = self.initrd_inputs(below, key).key();
                let record = find::known::<BootRecord>(store, self.lock, "initrd", &key)?.map(|(record, _)| record);
                record.filter(|record| store.contains(&record.kernel) && store.contains(&record.initrd))
            }
        };
        Ok(Missing {
            base: base.is_none(),
            packages: packages.is_none(),
            boot: boot.is_none(),
            unsure: feeds.is_none() && base.is_some(),
        })
    }

    pub fn of_base(&self) -> Vec<&LockedPackage> {
        self.of(&BASE).collect()
    }

    pub fn of_packages(&self) -> Vec<&LockedPackage> {
        self.of(&[PackageLayer::Packages]).collect()
    }

    fn feeds_initrd(&self, shelf: &Shelf) -> bool {
        self.of(&[PackageLayer::Packages]).any(|p| shelf.get(&p.sha256).is_some_and(|ready| ready.feeds_initrd))
    }

    /// False for a layer of the same packages that was made under a lock with other numbers.
    fn has_locked_ids(&self, record: &LayerRecord) -> bool {
        let found = record.facts.accounts.ids();
        let agrees = |locked: &BTreeMap<String, u32>, found: &BTreeMap<String, u32>| {
            found.iter().all(|(name, id)| locked.get(name).is_none_or(|kept| kept == id))
        };
        agrees(&self.lock.ids.users, &found.users) && agrees(&self.lock.ids.groups, &found.groups)
    }

    fn base_inputs(&self) -> Inputs {
        let mut inputs = Inputs::of(self.lock, self.compression);
        add_packages(&mut inputs, self.of(&BASE));
        inputs
    }

    fn packages_inputs(&self, base: &Digest) -> Inputs {
        let mut inputs = Inputs::of(self.lock, self.compression);
        inputs.add("base layer", base);
        add_packages(&mut inputs, self.of(&[PackageLayer::Packages]));
        for (path, node) in self.units.iter() {
            inputs.add(format!("/{path}"), Digest::of_value(node));
        }
        inputs.add("commands", Digest::of_value(&self.commands));
        inputs
    }

    fn initrd_inputs(&self, below: &str, key: &Digest) -> Inputs {
        let mut inputs = Inputs::of(self.lock, self.compression);
        inputs.add(format!("{below} layer"), key);
        for (path, node) in self.files.filtered(goes_into_initrd).iter() {
            inputs.add(format!("/{path}"), Digest::of_value(node));
        }
        inputs
    }

    fn of<'b>(&'b self, layers: &'b [PackageLayer]) -> impl Iterator<Item = &'b LockedPackage> {
        self.lock.packages.iter().filter(move |p| p.layer.is_some_and(|l| layers.contains(&l)))
    }

    fn debs(&self, layer: PackageLayer) -> Vec<Deb> {
        self.of(&[layer]).map(|p| Deb { name: p.name.clone(), sha256: p.sha256 }).collect()
    }

    fn base_input(&self) -> BaseInput {
        BaseInput { essential: self.debs(PackageLayer::Essential), others: self.debs(PackageLayer::Base) }
    }

    fn packages_input(&self, feeds_initrd: bool) -> PackagesInput {
        PackagesInput {
            debs: self.debs(PackageLayer::Packages),
            feeds_initrd,
            units: self.units.clone(),
            commands: self.commands.to_vec(),
        }
    }
}

fn add_packages<'a>(inputs: &mut Inputs, packages: impl Iterator<Item = &'a LockedPackage>) {
    for package in packages {
        inputs.add(format!("package {}", package.name), package.sha256);
    }
}

impl Found<'_> {
    /// Kernel and initrd have to be made.
    pub fn lacks_boot(&self) -> bool {
        self.boot.record.is_none()
    }

    /// Has `make` make what is missing.
    pub fn complete(
        self,
        store: &Store,
        log: &std::path::Path,
        make: impl FnOnce(&SystemJob, &Shelf) -> Result<Built>,
    ) -> Result<System> {
        let doubtful = self.base.by_lock || self.packages.by_lock;
        let mut built = Built::default();
        if let Some(job) = self.job(store, log)? {
            if doubtful {
                self.packages.doubt(store)?;
                self.boot.doubt(store)?;
            }
            built = make(&job, &self.shelf)?;
        }
        let profile = self.plan.profile;
        let (base, base_made) = self.base.keep(profile, built.base, false, store)?;
        let (packages, packages_made) = self.packages.keep(profile, built.packages, doubtful, store)?;
        let (boot, boot_made) = self.boot.keep(profile, built.boot, doubtful, store)?;
        Ok(System { base, packages, boot, made: [base_made, packages_made, boot_made] })
    }

    fn job(&self, store: &Store, log: &std::path::Path) -> Result<Option<SystemJob>> {
        let plan = self.plan;
        let (base, packages, boot) = (&self.base.record, &self.packages.record, &self.boot.record);
        if base.is_some() && packages.is_some() && boot.is_some() {
            return Ok(None);
        }
        Ok(Some(SystemJob {
            epoch: plan.lock.epoch,
            compression: plan.compression,
            log: log.to_owned(),
            ids: plan.lock.ids.clone(),
            modules: ready::modules(plan.lock.packages.iter(), store)?,
            base: base.as_ref().map_or_else(|| Step::Make(self.base.key, plan.base_input()), |r| Step::Reuse(r.digest)),
            packages: packages.as_ref().map_or_else(
                || Step::Make(self.packages.key, plan.packages_input(self.on_packages)),
                |r| Step::Reuse(r.digest),
            ),
            initrd: boot.is_none().then(|| InitrdInput {
                key: self.boot.key,
                on_packages: self.on_packages,
                files: plan.files.filtered(goes_into_initrd),
            }),
        }))
    }
}
