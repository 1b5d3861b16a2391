//! Planning the system layers: what is reused, what is made, and why.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::engine::job::{
    BaseInput, BootRecord, Built, Deb, InitrdInput, LAYERS, LayerRecord, PackagesInput, Step, SystemJob,
};
use crate::engine::keys::Inputs;
use crate::engine::ready::Shelf;
use crate::error::Result;
use crate::lock::types::{Lock, LockedPackage, PackageLayer};
use crate::profile::types::Compression;
use crate::progress::Progress;
use crate::store::{Guard, Store};
use crate::tree::Tree;
use crate::{Digest, Error};

/// Files below these paths are copied into the initrd by initramfs-tools' or live-boot's hooks.
const INITRD_PATHS: [&str; 16] = [
    "etc/initramfs-tools/",
    "usr/share/initramfs-tools/",
    "etc/live/",
    "etc/modprobe.d/",
    "usr/lib/modprobe.d/",
    "etc/modules",
    "etc/udev/",
    "usr/lib/udev/",
    "etc/systemd/network/",
    "etc/fstab",
    "etc/crypttab",
    "etc/default/keyboard",
    "etc/default/console-setup",
    "etc/lvm/",
    "etc/mdadm/",
    "usr/lib/firmware/",
];

/// True if a change of this file changes the initrd.
pub fn goes_into_initrd(path: &str) -> bool {
    INITRD_PATHS.iter().any(|p| path.starts_with(p)) && !path.ends_with(".network")
}

/// Everything that decides the system layers.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The profile's name, under which the last inputs are remembered.
    pub profile: &'a str,
    pub lock: &'a Lock,
    /// The lock's packages as the engine takes them.
    pub shelf: &'a Shelf,
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
}

impl Plan<'_> {
    /// Finds the layers in the store, or has `make` make what is missing; says which were reused and why others were not.
    pub fn realise(
        &self,
        store: &Store,
        progress: &Progress,
        log: &std::path::Path,
        make: impl FnOnce(&SystemJob) -> Result<Built>,
    ) -> Result<System> {
        let base_inputs = self.base_inputs();
        let usable = |record: &LayerRecord| Ok(self.has_locked_ids(record) && store.intact(&record.digest)?);
        // Of several builds that lack the same layer one makes it; the others wait here and reuse it. Locks are taken from
        // below upwards, so that no two builds wait for each other.
        let mut mine = Vec::new();
        let base: Option<LayerRecord> = self.look_up(store, progress, "base", &base_inputs, usable, &mut mine)?;
        let packages_inputs = self.packages_inputs(&base_inputs.key());
        let packages: Option<LayerRecord> =
            self.look_up(store, progress, "packages", &packages_inputs, usable, &mut mine)?;
        let on_packages =
            self.of(&[PackageLayer::Packages]).any(|p| self.shelf.get(&p.sha256).is_some_and(|r| r.feeds_initrd));
        let (below, key) = if on_packages { ("packages", packages_inputs.key()) } else { ("base", base_inputs.key()) };
        let initrd_inputs = self.initrd_inputs(below, &key);
        let boot: Option<BootRecord> =
            self.look_up(store, progress, "initrd", &initrd_inputs, |record| boot_is_there(record, store), &mut mine)?;
        if let (Some(base), Some(packages), Some(boot)) = (&base, &packages, &boot) {
            return Ok(System { base: base.clone(), packages: packages.clone(), boot: boot.clone() });
        }
        let job = SystemJob {
            epoch: self.lock.epoch,
            compression: self.compression,
            log: log.to_owned(),
            ids: self.lock.ids.clone(),
            base: base
                .as_ref()
                .map_or_else(|| Step::Make(base_inputs.key(), self.base_input()), |r| Step::Reuse(r.digest)),
            packages: packages
                .as_ref()
                .map_or_else(|| Step::Make(packages_inputs.key(), self.packages_input()), |r| Step::Reuse(r.digest)),
            initrd: boot.is_none().then(|| InitrdInput {
                key: initrd_inputs.key(),
                on_packages,
                files: self.files.filtered(goes_into_initrd),
            }),
        };
        let built = make(&job)?;
        let kept = Keeper { store, profile: self.profile };
        Ok(System {
            base: kept.keep("base", &base_inputs, base, built.base)?,
            packages: kept.keep("packages", &packages_inputs, packages, built.packages)?,
            boot: kept.keep("initrd", &initrd_inputs, boot, built.boot)?,
        })
    }

    fn look_up<T: DeserializeOwned>(
        &self,
        store: &Store,
        progress: &Progress,
        layer: &str,
        inputs: &Inputs,
        usable: impl Fn(&T) -> Result<bool>,
        mine: &mut Vec<Guard>,
    ) -> Result<Option<T>> {
        let key = inputs.key().to_string();
        let find = || match store.record::<T>(LAYERS, &key)? {
            Some(record) if usable(&record)? => Ok(Some(record)),
            _ => Ok::<_, Error>(None),
        };
        let mut found = find()?;
        if found.is_none() {
            mine.push(store.lock(&format!("layer-{key}"), "another build that makes this layer", progress)?);
            found = find()?;
        }
        let latest = format!("{}-{layer}", self.profile);
        let before: Option<Inputs> = store.record("latest", &latest)?;
        let text = if found.is_none() {
            format!("rebuilt: {}", inputs.why(before.as_ref()))
        } else {
            // Another profile may have made it: the next change is told against what this one uses now.
            if before.as_ref() != Some(inputs) {
                store.put_record("latest", &latest, inputs)?;
            }
            "reused".to_owned()
        };
        progress.say("layer", &format!("{layer} {text}"));
        Ok(found)
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
        add_packages(&mut inputs, self.of(&[PackageLayer::Essential, PackageLayer::Base]));
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

    fn packages_input(&self) -> PackagesInput {
        PackagesInput {
            debs: self.debs(PackageLayer::Packages),
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

fn boot_is_there(record: &BootRecord, store: &Store) -> Result<bool> {
    Ok(store.intact(&record.kernel)? && store.intact(&record.initrd)?)
}

struct Keeper<'a> {
    store: &'a Store,
    profile: &'a str,
}

impl Keeper<'_> {
    /// Remembers what it was made of, to say why the next one differs; one of `found` and `made` is there.
    fn keep<T>(&self, layer: &str, inputs: &Inputs, found: Option<T>, made: Option<T>) -> Result<T> {
        let record = made.or(found).ok_or_else(|| Error::internal(format!("the layer {layer} was not made")))?;
        self.store.put_record("latest", &format!("{}-{layer}", self.profile), inputs)?;
        Ok(record)
    }
}
