//! The same lock installed by the composer and by apt, and the two trees compared.

#![allow(clippy::print_stderr)]

mod archive;
pub mod exceptions;
mod forms;
mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use borg_compose::engine::compare::owners;
use borg_compose::engine::compare::tree::{Names, Side, differences};
use borg_compose::engine::native::{clean, squash};
use borg_compose::image::Manifest;
use borg_compose::lock::{self, Lock};
use borg_compose::store::Store;
use borg_compose::workshop::Run;

use crate::Bench;
use crate::real::build;
use exceptions::Trees;
use place::Place;

/// What of the rendered tree the composer lays over the packages before it applies presets.
const OWN: [&str; 4] =
    ["etc/systemd/system", "usr/lib/systemd/system-preset", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d"];
const RENDERED: &str = "config/includes.chroot_after_packages";

/// A profile, and what the composer does in its root after the packages are installed.
#[derive(Debug)]
pub struct Set {
    pub name: &'static str,
    /// The profile without its name.
    pub profile: &'static str,
    /// Argument vectors.
    pub commands: &'static [&'static [&'static str]],
}

/// Builds a set in both ways and fails the test if the trees differ in anything that no exception covers.
///
/// The mounts are those of the calling thread alone.
pub fn compare(bench: &Bench, set: &Set) {
    let (lock, manifest) = built(bench, set);
    let place = Place::new(&bench.folder);
    let log = bench.folder.join(format!("apt-{}.log", set.name));
    fs::write(&log, "").unwrap();
    let store = Store::open(&bench.store).unwrap();
    let ours = ours(&manifest, &store, &place, &log);
    let start = Instant::now();
    let apts = apts(&lock, &store, &place, &log);
    eprintln!("{:.1} s: {} packages installed by apt", start.elapsed().as_secs_f64(), lock.packages.len());
    finish(&apts, &rendered(bench, set, &place), set, &lock, &log);
    report(&ours, &apts, set, &lock);
}

fn built(bench: &Bench, set: &Set) -> (Lock, Manifest) {
    let profile = bench.profile(set.name, &format!("profile: {}\n{}", set.name, set.profile));
    let ran = build(bench, &profile, &["--fast", "--tag", set.name]).exits(0);
    let manifest = fs::read(Path::new(ran.last_line()).with_extension("manifest.json")).unwrap();
    let lock = lock::file::read(&profile.with_extension("lock")).unwrap().unwrap();
    (lock, serde_json::from_slice(&manifest).unwrap())
}

/// The profile as a live-build config tree.
fn rendered(bench: &Bench, set: &Set, place: &Place) -> PathBuf {
    let to = place.path("rendered");
    let profile = bench.folder.join("profiles").join(format!("{}.yaml", set.name));
    bench.run(&["render", "--profile", profile.to_str().unwrap(), "--to", to.to_str().unwrap()]).exits(0);
    to
}

/// The base layer with the packages layer over it, as live-boot stacks them.
fn ours(manifest: &Manifest, store: &Store, place: &Place, log: &Path) -> PathBuf {
    let unpacked = |name: &str| {
        let layer = manifest.layers.iter().find(|layer| layer.name == name).unwrap();
        let folder = place.path(name);
        squash::unsquash(&store.object(&layer.sha256), &folder, log).unwrap();
        folder
    };
    place.overlay(&[unpacked("packages"), unpacked("base")])
}

/// mmdebstrap installs the essential packages with dpkg and all others with apt. It sees what the composer's tools see:
/// their environment, no network, the same host name.
fn apts(lock: &Lock, store: &Store, place: &Place, log: &Path) -> PathBuf {
    let source = archive::lay_out(lock, store, &place.path("archive"));
    let root = place.path("apt");
    Run::new("unshare")
        .args(["--net", "--uts", "sh", "-c", "hostname localhost && exec \"$@\"", "sh"])
        .args(["mmdebstrap", "--mode=root", "--variant=essential", "--format=directory"])
        .arg(format!("--include={}", archive::wanted(lock)))
        .args(["".into(), root.clone().into_os_string(), source.into()])
        .env("SOURCE_DATE_EPOCH", lock.epoch.to_string())
        .log(log)
        .run()
        .unwrap();
    root
}

/// Does to apt's tree what the composer does to its own on purpose.
fn finish(apts: &Path, rendered: &Path, set: &Set, lock: &Lock, log: &Path) {
    let run = |argv: &[&str]| {
        Run::new(argv[0]).args(&argv[1..]).env("SOURCE_DATE_EPOCH", lock.epoch.to_string()).log(log).run().unwrap();
    };
    let root = apts.to_str().unwrap();
    for own in OWN.iter().map(|own| rendered.join(RENDERED).join(own)).filter(|own| own.is_dir()) {
        let to = apts.join(own.strip_prefix(rendered.join(RENDERED)).unwrap());
        run(&["cp", "-a", "-T", own.to_str().unwrap(), to.to_str().unwrap()]);
    }
    for command in set.commands.iter().copied().chain([&["systemctl", "preset-all"][..]]) {
        run(&[&["chroot", root][..], command].concat());
    }
    clean::clean(apts).unwrap();
}

fn report(ours: &Path, apts: &Path, set: &Set, lock: &Lock) {
    let start = Instant::now();
    let side = |root: &Path| {
        let read = |name: &str| fs::read_to_string(root.join("etc").join(name)).unwrap();
        let names = Names::of(&read("passwd"), &read("group"));
        Side::new(root).unwrap().with_names(names).clamped(i64::try_from(lock.epoch).unwrap())
    };
    let (before, after) = (side(apts), side(ours));
    let found = differences(&before, &after).unwrap();
    let trees = Trees { apts, ours };
    let (excepted, left): (Vec<_>, Vec<_>) =
        found.iter().map(|(path, what)| (path, trees.uncovered(path, what))).partition(|(_, left)| left.is_empty());
    eprintln!(
        "{:.1} s: {}: {} files compared with apt's {}, {} fall under an exception, {} differ",
        start.elapsed().as_secs_f64(),
        set.name,
        after.count(),
        before.count(),
        excepted.len(),
        left.len()
    );
    let packages = owners(ours).unwrap();
    let lines = left.iter().map(|(path, what)| {
        let what: Vec<String> = what.iter().map(ToString::to_string).collect();
        let package = packages.get(*path).map_or("no package's", String::as_str);
        format!("{path} ({package}): {}", what.join(", "))
    });
    let lines: Vec<String> = lines.collect();
    assert!(lines.is_empty(), "{} is not the tree that apt makes:\n{}", set.name, lines.join("\n"));
}
