//! Layers that another machine made: when they count, for which lock, and for how long.

use std::path::Path;

use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use crate::Digest;
use crate::engine::job::{BootRecord, Built, Facts, LAYERS, LayerRecord, PULLED, Step, SystemJob};
use crate::engine::parcel::Parcel;
use crate::engine::ready::{Ready, Shelf};
use crate::engine::system::{Plan, System};
use crate::lock::Lock;
use crate::lock::types::{FORMAT, Ids, LayerOutput, LockedPackage, Output, Outputs, PackageLayer};
use crate::profile::types::Compression;
use crate::progress::Progress;
use crate::shared::record::Statement;
use crate::shared::{Address, Shared, SignKey, Trust};
use crate::store::Store;
use crate::tree::Tree;

fn package(name: &str, layer: PackageLayer) -> LockedPackage {
    LockedPackage {
        name: name.into(),
        version: "1".into(),
        architecture: "all".into(),
        layer: Some(layer),
        group: None,
        archive: "debian".into(),
        filename: format!("pool/{name}.deb"),
        size: 12,
        sha256: Digest::of(name),
    }
}

fn bare() -> Lock {
    Lock {
        format: FORMAT,
        spec: Digest::of("spec"),
        parts: std::collections::BTreeMap::default(),
        epoch: 1,
        outputs: None,
        ids: Ids::default(),
        archives: vec![],
        packages: vec![package("libc6", PackageLayer::Essential), package("jq", PackageLayer::Packages)],
        tools: vec![],
        sysroot: vec![],
    }
}

/// The lock as a build leaves it.
fn finished(system: &System) -> Lock {
    let [base, packages, boot] = system.made;
    let layer = |name: &str, sha256, made: crate::lock::types::Made| LayerOutput {
        name: name.into(),
        sha256,
        size: 1,
        key: Some(made.key),
        record: Some(made.record),
    };
    let outputs = Outputs {
        iso: Output { sha256: Digest::of("iso"), size: 1 },
        kernel: system.boot.kernel,
        initrd: system.boot.initrd,
        boot: Some(boot),
        layers: vec![layer("base", system.base.digest, base), layer("packages", system.packages.digest, packages)],
    };
    Lock { outputs: Some(outputs), ..bare() }
}

/// A machine with a store of its own.
struct Machine {
    _folder: tempfile::TempDir,
    store: Store,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Machine { _folder: folder, store }
    }

    /// Builds, and answers with what was said of the layers and which packages it took.
    fn build(&self, lock: &Lock, shared: Option<&Shared>, trust: &Trust) -> (System, String, usize) {
        let (progress, tree) = (Progress::silent(), Tree::default());
        let plan = Plan {
            profile: "p",
            lock,
            shared,
            trust,
            compression: Compression::Fast,
            units: &tree,
            files: &tree,
            commands: &[],
        };
        let taken = std::cell::Cell::new(0);
        let supply = |packages: &[&LockedPackage]| {
            taken.set(taken.get() + packages.len());
            let ready = |p: &&LockedPackage| {
                (p.sha256, Ready { object: p.sha256, feeds_initrd: p.name == "jq", modules: None })
            };
            Ok(packages.iter().map(ready).collect::<Shelf>())
        };
        let found = plan.find(&self.store, &progress, supply).unwrap();
        let system = found.complete(&self.store, Path::new("log"), |job, _| Ok(self.make(job))).unwrap();
        (system, progress.said().replace("    layer  ", ""), taken.get())
    }

    fn make(&self, job: &SystemJob) -> Built {
        let layer = |key: &Digest, name: &str, feeds_initrd| {
            let digest = self.store.insert(name.as_bytes()).unwrap();
            let record = LayerRecord { digest, size: name.len() as u64, facts: Facts::default(), feeds_initrd };
            self.store.put_record(LAYERS, &key.to_string(), &record).unwrap();
            record
        };
        let mut built = Built::default();
        if let Step::Make(key, _) = &job.base {
            built.base = Some(layer(key, "the base", None));
        }
        if let Step::Make(key, input) = &job.packages {
            built.packages = Some(layer(key, "the packages", Some(input.feeds_initrd)));
        }
        built.boot = job.initrd.as_ref().map(|input| {
            let insert = |text: &str| self.store.insert(text.as_bytes()).unwrap();
            let record = BootRecord { version: "6".into(), kernel: insert("kernel"), initrd: insert("initrd") };
            self.store.put_record(LAYERS, &input.key.to_string(), &record).unwrap();
            record
        });
        built
    }

    fn pulled(&self, system: &System) -> [bool; 3] {
        let mark = |key: &Digest| self.store.record::<serde_json::Value>(PULLED, &key.to_string()).unwrap().is_some();
        system.made.each_ref().map(|made| mark(&made.key))
    }
}

/// A store that has all that `system` is, signed with `key`.
struct Team {
    folder: tempfile::TempDir,
    shared: Shared,
    trust: Trust,
}

impl Team {
    fn of(machine: &Machine, system: &System) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::parse(&format!("file://{}", folder.path().display())).unwrap();
        let shared = Shared::open(&address, &Progress::silent()).unwrap();
        let objects = [system.base.objects(), system.packages.objects(), system.boot.objects()].concat();
        for digest in objects {
            shared.push(&digest, &machine.store.object(&digest)).unwrap();
        }
        let store = &machine.store;
        let (base, packages, boot) = (system.base.wrap(store), system.packages.wrap(store), system.boot.wrap(store));
        for record in [base, packages, boot] {
            assert!(shared.push_bytes(&record.unwrap()).unwrap());
        }
        let private = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
        let (secret, public) = (folder.path().join("key"), folder.path().join("key.pub"));
        std::fs::write(&secret, private.to_openssh(ssh_key::LineEnding::LF).unwrap().as_bytes()).unwrap();
        std::fs::write(&public, private.public_key().to_openssh().unwrap()).unwrap();
        let key = SignKey::read(&secret).unwrap();
        for (kind, made) in ["base", "packages", "initrd"].into_iter().zip(system.made) {
            let statement = Statement { kind: kind.into(), key: made.key, record: made.record };
            shared.push_record(&statement, &key).unwrap();
        }
        Team { folder, shared, trust: Trust::read(&public).unwrap() }
    }

    /// Puts other bytes in an object's place.
    fn lie(&self, digest: &Digest) {
        let name = digest.to_string();
        std::fs::write(self.folder.path().join("objects").join(&name[..2]).join(name), "lies").unwrap();
    }
}

fn first() -> (Machine, System, Team) {
    let machine = Machine::new();
    let (system, said, taken) = machine.build(&bare(), None, &Trust::default());
    assert_eq!((said.matches("rebuilt: made for the first time").count(), taken), (3, 2), "{said}");
    assert_eq!(machine.pulled(&system), [false; 3]);
    let team = Team::of(&machine, &system);
    (machine, system, team)
}

#[test]
fn a_locks_word_counts_for_that_lock_alone() {
    let (_machine, system, team) = first();
    let (second, lock, nobody) = (Machine::new(), finished(&system), Trust::default());
    let (pulled, said, taken) = second.build(&lock, Some(&team.shared), &nobody);
    assert_eq!((said.matches("pulled from file://").count(), taken), (3, 0), "{said}");
    assert_eq!(pulled.made, system.made);
    assert_eq!(second.build(&lock, None, &nobody).1.matches("reused").count(), 3);

    // Another lock with the same keys says nothing of them.
    let (again, said, taken) = second.build(&bare(), Some(&team.shared), &nobody);
    assert_eq!((said.matches("rebuilt").count(), taken), (3, 2), "{said}");
    assert_eq!(second.pulled(&again), [false; 3], "made here by now");
    assert_eq!(second.build(&bare(), None, &nobody).1.matches("reused").count(), 3);
}

#[test]
fn what_is_made_on_such_a_layer_counts_no_more_than_it() {
    let (_machine, system, team) = first();
    let (second, nobody) = (Machine::new(), Trust::default());
    let mut lock = finished(&system);
    lock.outputs.as_mut().unwrap().layers.pop();
    let (made, said, _) = second.build(&lock, Some(&team.shared), &nobody);
    assert!(said.contains("base pulled") && said.contains("packages rebuilt"), "{said}");
    assert_eq!(second.pulled(&made), [true; 3]);
    assert_eq!(second.build(&bare(), None, &nobody).1.matches("rebuilt").count(), 3);
}

#[test]
fn a_signers_word_counts_from_then_on() {
    let (_machine, system, team) = first();
    let second = Machine::new();
    let (pulled, said, taken) = second.build(&bare(), Some(&team.shared), &team.trust);
    assert_eq!((said.matches("pulled from file://").count(), taken), (3, 0), "{said}");
    assert_eq!(second.pulled(&pulled), [true; 3], "and is never signed for");
    assert_eq!(pulled.made, system.made);
    assert_eq!(second.build(&bare(), None, &Trust::default()).1.matches("reused").count(), 3);
    assert_eq!(Machine::new().build(&bare(), Some(&team.shared), &Trust::default()).1.matches("rebuilt").count(), 3);
}

#[test]
fn a_layer_with_other_bytes_is_made_here_and_the_rest_pulled() {
    let (_machine, system, team) = first();
    team.lie(&system.base.digest);
    let second = Machine::new();
    let (made, said, taken) = second.build(&bare(), Some(&team.shared), &team.trust);
    assert!(
        said.contains("base rebuilt") && said.contains("packages pulled") && said.contains("initrd pulled"),
        "{said}"
    );
    assert_eq!((made.made, taken), (system.made, 1));
    assert_eq!(second.pulled(&made), [false, true, true]);

    // Its record is another's: nothing is known of it.
    team.lie(&system.made[1].record);
    let (made, said, taken) = Machine::new().build(&finished(&system), Some(&team.shared), &team.trust);
    assert!(said.contains("packages rebuilt"), "{said}");
    assert_eq!((made.made, taken), (system.made, 2));
}
