//! Whole resolves: against archives made here and, when asked for, against Debian's own.

use std::path::PathBuf;
use std::time::Instant;

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

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Resolves a real image; prints what it chose and how long it took. `BORG_TEST_STORE` keeps the indices,
/// `BORG_TEST_FETCH` downloads too.
#[test]
#[ignore = "asks Debian's mirrors"]
fn debian_itself() {
    let folder = tempfile::tempdir().unwrap();
    let root = std::env::var_os("BORG_TEST_STORE").map_or_else(|| folder.path().to_owned(), PathBuf::from);
    let store = Store::open(&root).unwrap();
    let suite = std::env::var("BORG_TEST_SUITE").unwrap_or_else(|_| "trixie".into());
    let archives = vec![
        archive("debian", ArchiveKind::Debian, &suite),
        archive("updates", ArchiveKind::Debian, &format!("{suite}-updates")),
        archive("security", ArchiveKind::Security, &format!("{suite}-security")),
    ];
    let base = ["systemd-sysv", "dbus", "live-boot", "initramfs-tools", "linux-image-amd64"];
    let extra = std::env::var("BORG_TEST_PACKAGES").unwrap_or_else(|_| "nginx-light openssh-server iproute2".into());
    let spec = spec(archives, &base, &extra.split_whitespace().collect::<Vec<_>>());
    let sources = Sources::of_host(&[]);
    let progress = Progress::silent();
    let edges = Edges { sources: &sources, store: &store, progress: &progress, now: now() };
    let request = Request { spec: &spec, prior: None, update: &Update::Keep, runtime: &[], epoch: None };
    let start = Instant::now();
    let lock = pin(&request, edges).unwrap();
    println!("pinned in {:?}", start.elapsed());
    for package in &lock.packages {
        println!("P {} {} {:?} {}", package.name, package.version, package.layer, package.size);
    }
    for tool in &lock.tools {
        println!("T {} {} {} {}", tool.name, tool.version, tool.group.as_deref().unwrap_or("-"), tool.size);
    }
    let start = Instant::now();
    let again = pin(&Request { prior: Some(&lock), ..request }, edges).unwrap();
    println!("again in {:?}", start.elapsed());
    assert_eq!(lock, again);
    lock::file::write(&root.join("test.lock"), &lock).unwrap();
    assert_eq!(lock::file::read(&root.join("test.lock")).unwrap().as_ref(), Some(&lock));
    if std::env::var_os("BORG_TEST_FETCH").is_some_and(|v| !v.is_empty()) {
        let start = Instant::now();
        let packages: Vec<&LockedPackage> = lock.packages.iter().collect();
        crate::archive::fetch(&packages, &spec.archives, &sources, &store, &progress, false).unwrap();
        println!("fetched {} in {:?}", packages.len(), start.elapsed());
    }
}
