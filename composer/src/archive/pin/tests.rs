//! Whole resolves: against archives made here and, when asked for, against Debian's own.

use super::*;
use crate::Digest;
use crate::archive::Sources;
use crate::profile::types::{Arch, Compression, Firmware, Flavour, Keyboard, Suite};
use crate::progress::Progress;
use crate::spec::types::{ImageOptions, KernelSpec, NetworkSpec, Origin, Wanted};
use crate::store::Store;

fn wanted(names: &[&str]) -> Vec<Wanted> {
    names.iter().map(|name| Wanted { name: (*name).into(), by: Origin::Composer }).collect()
}

fn archive(name: &str, kind: ArchiveKind, suite: &str) -> ArchiveSpec {
    let components = vec!["main".into(), "non-free-firmware".into()];
    ArchiveSpec { name: name.into(), kind, suite: suite.into(), components, uri: "http://deb.debian.org/debian".into() }
}

fn spec(archives: Vec<ArchiveSpec>, base: &[&str], packages: &[&str]) -> ImageSpec {
    ImageSpec {
        profile: "test".into(),
        suite: Suite::Trixie,
        arch: Arch::Amd64,
        hostname: "test".into(),
        locale: "C.UTF-8".into(),
        timezone: "Etc/UTC".into(),
        keyboard: Keyboard { layout: "us".into(), variant: None },
        network: NetworkSpec { dhcp: true, addresses: vec![], gateway: None, dns: vec![], time: vec![] },
        services: vec![],
        base_packages: wanted(base),
        packages: wanted(packages),
        users: vec![],
        files: vec![],
        kernel: KernelSpec { flavour: Flavour::Generic, package: "linux-image-amd64".into(), cmdline: vec![] },
        firmware: Firmware::None,
        archives,
        image: ImageOptions { label: "TEST".into(), size_limit: 2_000_000_000, compression: Compression::Zstd },
        device: borg_config::Device { profile: "test".into(), offline_model: None, offline_only: false },
        assets: Digest::of(""),
    }
}

pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn state(name: &str, lines: &[&str]) -> State {
    let locked = LockedArchive {
        name: name.into(),
        suite: name.into(),
        date: 1_795_219_200,
        sha256: Digest::of(lines.concat()),
        signed_by: vec![],
    };
    State { locked, indices: vec![crate::archive::solve::tests::index_of(lines)] }
}

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    spec: ImageSpec,
}

impl Bench {
    fn new(packages: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let extra = ArchiveSpec {
            kind: ArchiveKind::Extra { key: String::new() },
            ..archive("extra", ArchiveKind::Debian, "extra")
        };
        let spec = spec(vec![archive("debian", ArchiveKind::Debian, "bookworm"), extra], &["init"], packages);
        Bench { _folder: folder, store, spec }
    }

    /// Resolves against `lines` and the composer's tools.
    fn resolve(&self, lines: &[&str], prior: Option<&Lock>, update: &Update) -> Result<Lock, PinError> {
        let request = Request { spec: &self.spec, prior, update, runtime: &[], sysroot: &[], epoch: None };
        self.request(lines, &request)
    }

    fn request(&self, lines: &[&str], request: &Request<'_>) -> Result<Lock, PinError> {
        let base = ["dpkg 1; Essential: yes; Depends: libc", "libc 1", "apt 1; Depends: libapt", "libapt 1", "init 1"];
        let tools: Vec<String> = crate::archive::TOOLS.iter().map(|name| format!("{name} 1")).collect();
        let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
        let extra = state("extra", &["bold 1; Essential: yes", "wild 1"]);
        let states = vec![state("debian", &[&base[..], lines].concat()), extra, state(TOOLS_ARCHIVE, &tools)];
        resolve(request, states, &self.store)
    }
}

pub fn names(lock: &Lock) -> Vec<String> {
    lock.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect()
}

#[test]
fn layers_are_closures() {
    let bench = Bench::new(&["a"]);
    let lock = bench.resolve(&["a 1; Depends: b, libc", "b 1"], None, &Update::Keep).unwrap();
    let layers: Vec<String> =
        lock.packages.iter().map(|p| format!("{} {:?}", p.name, p.layer.unwrap()).to_lowercase()).collect();
    let expected =
        ["a packages", "apt base", "b packages", "dpkg essential", "init base", "libapt base", "libc essential"];
    assert_eq!(layers, expected, "what an extra repository calls essential is not");
    assert_eq!(lock.epoch, 1_795_219_200);
    assert_eq!(lock.tools.len(), crate::archive::TOOLS.len());
    assert!(lock.tools.iter().any(|t| t.name == "ovmf" && t.group.as_deref() == Some("boot")));
    assert!(lock.tools.iter().all(|t| t.archive == TOOLS_ARCHIVE && t.layer.is_none()));
}

#[test]
fn bookworm_is_merged_from_the_start() {
    let mut bench = Bench::new(&[]);
    bench.spec.suite = Suite::Bookworm;
    let lines = ["ish 1; Essential: yes; Depends: usrmerge | usr-is-merged", "usrmerge 1", "usr-is-merged 1"];
    let lock = bench.resolve(&lines, None, &Update::Keep).unwrap();
    let merged = lock.packages.iter().find(|p| p.name == "usr-is-merged").unwrap();
    assert_eq!(merged.layer, Some(crate::lock::types::PackageLayer::Essential));
    assert!(!names(&lock).contains(&"usrmerge 1".to_owned()));
}

#[test]
fn what_can_stay_stays_unless_it_is_to_move() {
    let bench = Bench::new(&["a", "b"]);
    let old = bench.resolve(&["a 1", "b 1"], None, &Update::Keep).unwrap();
    let both = ["a 1", "a 2", "b 1", "b 2"];
    assert_eq!(names(&bench.resolve(&both, Some(&old), &Update::Keep).unwrap()), names(&old));
    let only = bench.resolve(&both, Some(&old), &Update::Only(vec!["a".into()])).unwrap();
    assert_eq!(names(&only)[..3], ["a 2", "apt 1", "b 1"]);
    let all = bench.resolve(&both, Some(&old), &Update::All).unwrap();
    assert_eq!(names(&all)[..3], ["a 2", "apt 1", "b 2"]);
    // Gone from the archive and from the store: the newest is taken.
    assert_eq!(names(&bench.resolve(&["a 2", "b 1"], Some(&old), &Update::Keep).unwrap())[0], "a 2");
}

#[test]
fn what_only_the_store_has_stays_too() {
    let bench = Bench::new(&["a"]);
    let mut old = bench.resolve(&["a 1"], None, &Update::Keep).unwrap();
    let deb = crate::archive::deb::tests::deb_of(&[], "Package: a\nVersion: 1\nArchitecture: all\n");
    old.packages[0].sha256 = bench.store.insert(&deb).unwrap();
    let new = bench.resolve(&["a 2"], Some(&old), &Update::Keep).unwrap();
    assert_eq!(new.packages[0], old.packages[0]);
    let new = bench.resolve(&["a 2"], Some(&old), &Update::All).unwrap();
    assert_eq!(new.packages[0].version, "2");
}

#[test]
fn outputs_go_with_what_they_were_made_of_and_ids_stay() {
    use crate::lock::types::{Output, Outputs};
    let bench = Bench::new(&["a"]);
    let mut old = bench.resolve(&["a 1"], None, &Update::Keep).unwrap();
    let iso = Output { sha256: Digest::of("iso"), size: 1 };
    old.outputs = Some(Outputs { iso, kernel: Digest::of("k"), initrd: Digest::of("i"), boot: None, layers: vec![] });
    old.ids.users.insert("messagebus".into(), 100);
    old.epoch = 7;
    assert_eq!(bench.resolve(&["a 1"], Some(&old), &Update::All).unwrap(), old, "nothing new: nothing changes");
    let new = bench.resolve(&["a 2"], Some(&old), &Update::All).unwrap();
    assert_eq!((new.outputs, new.ids, new.epoch), (None, old.ids.clone(), 1_795_219_200));
    let given = Request {
        spec: &bench.spec,
        prior: Some(&old),
        update: &Update::Keep,
        runtime: &[],
        sysroot: &[],
        epoch: Some(9),
    };
    let new = bench.request(&["a 1"], &given).unwrap();
    assert_eq!((new.outputs, new.epoch), (None, 9));
}

#[test]
fn our_own_packages_join_and_bring_what_they_need() {
    let bench = Bench::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own_1_all.deb");
    let control = "Package: own\nVersion: 1\nArchitecture: all\nDepends: a\nDescription: x\n y\n";
    std::fs::write(&path, crate::archive::deb::tests::deb_of(&[], control)).unwrap();
    let own = [LocalDeb::read(&path, "own_1_all.deb").unwrap()];
    let request =
        Request { spec: &bench.spec, prior: None, update: &Update::Keep, runtime: &own, sysroot: &[], epoch: None };
    let lock = bench.request(&["a 1", "own 9"], &request).unwrap();
    let package = lock.packages.iter().find(|p| p.name == "own").unwrap();
    assert_eq!((package.version.as_str(), package.archive.as_str()), ("1", RUNTIME));
    assert_eq!((package.filename.as_str(), package.sha256), ("own_1_all.deb", own[0].sha256));
    assert!(names(&lock).contains(&"a 1".to_owned()));
}

#[test]
fn a_wish_that_cannot_be_met_says_whose_it_is() {
    let mut bench = Bench::new(&["a"]);
    bench.spec.packages[0].by = Origin::Profile("/packages/0".into());
    let Err(PinError::Unsolvable(error)) = bench.resolve(&["aa 1"], None, &Update::Keep) else { panic!("no error") };
    assert_eq!(error.origin, Origin::Profile("/packages/0".into()));
    let update = Update::Only(vec!["apr".into()]);
    let lock = Bench::new(&[]).resolve(&[], None, &Update::Keep).unwrap();
    assert_eq!(known_names(Some(&lock), &update).unwrap_err().help_text(), Some("did you mean `apt`?"));
}

#[test]
fn a_lock_is_stale_when_its_spec_changed() {
    let mut bench = Bench::new(&["a"]);
    let lock = bench.resolve(&["a 1"], None, &Update::Keep).unwrap();
    assert_eq!(lock::stale(&lock, &bench.spec), None);
    let other = ImageSpec { hostname: "other".into(), ..bench.spec.clone() };
    let stale = lock::stale(&lock, &other).unwrap();
    let renewed = lock::renewed(&lock, &other, &stale, None).unwrap();
    assert_eq!((lock::stale(&renewed, &other), &renewed.packages), (None, &lock.packages));
    assert_eq!(lock::renewed(&lock, &other, &["packages".into(), "hostname".into()], None), None);
    assert_eq!(lock::renewed(&lock, &other, &["a part of another version".into()], None), None);
    assert_eq!(lock::renewed(&lock, &other, &stale, Some(7)).map(|lock| lock.epoch), Some(7));
    bench.spec.hostname = "other".into();
    bench.spec.packages.clear();
    assert_eq!(lock::stale(&lock, &bench.spec).unwrap(), ["hostname", "packages"]);
}

/// An image of a suite, from Debian's own archives.
pub fn debian(suite: Suite, base: &[&str], packages: &[&str]) -> ImageSpec {
    let name = if suite == Suite::Trixie { "trixie" } else { "bookworm" };
    let archives = vec![
        archive("debian", ArchiveKind::Debian, name),
        archive("updates", ArchiveKind::Debian, &format!("{name}-updates")),
        archive("security", ArchiveKind::Security, &format!("{name}-security")),
    ];
    ImageSpec { suite, ..spec(archives, base, packages) }
}

pub const BASE: [&str; 5] = ["systemd-sysv", "dbus", "live-boot", "initramfs-tools", "linux-image-amd64"];

/// Resolves a real image for each suite from Debian's own mirrors; resolving again with the lock changes nothing.
#[test]
#[ignore = "asks Debian's mirrors"]
fn debian_itself() {
    for suite in [Suite::Trixie, Suite::Bookworm] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let spec = debian(suite, &BASE, &["nginx-light", "openssh-server", "iproute2"]);
        let (sources, progress) = (Sources::of_host(&[]), Progress::silent());
        let edges = Edges { sources: &sources, store: &store, progress: &progress, now: now() };
        let request =
            Request { spec: &spec, prior: None, update: &Update::Keep, runtime: &[], sysroot: &[], epoch: None };
        let pinned = |request: &Request<'_>| resolve(request, load(&spec, edges).unwrap(), &store).unwrap();
        let lock = pinned(&request);
        assert!(lock.packages.iter().any(|p| p.name == "nginx-light"), "{suite:?}");
        assert_eq!(lock, pinned(&Request { prior: Some(&lock), ..request }));
        let path = folder.path().join("test.lock");
        lock::file::write(&path, &lock).unwrap();
        assert_eq!(lock::file::read(&path).unwrap(), Some(lock));
    }
}
