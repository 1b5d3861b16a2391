//! Downloads of whole locks, from mirrors on the loopback.

use std::time::Duration;

use super::*;
use crate::archive::net::testing::{Fault, Server};
use crate::archive::net::{Client, Limits, Net, Proxies};
use crate::spec::types::ArchiveKind;
use crate::{Digest, Kind};

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    server: Server,
    packages: Vec<LockedPackage>,
}

impl Bench {
    fn new(count: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let server = Server::start();
        let package = |n: u8| {
            let bytes = vec![n; 1000 + usize::from(n)];
            let filename = format!("pool/p{n}.deb");
            server.put(&format!("debian/{filename}"), bytes.clone());
            LockedPackage {
                name: format!("p{n}"),
                version: "1".into(),
                architecture: "all".into(),
                layer: None,
                group: None,
                archive: "debian".into(),
                filename,
                size: bytes.len() as u64,
                sha256: Digest::of(&bytes),
            }
        };
        let packages = (0..count).map(package).collect();
        Bench { _folder: folder, store, server, packages }
    }

    fn fetch(&self, offline: bool) -> Result<()> {
        let limits = Limits { connect: Duration::from_secs(2), stall: Duration::from_secs(2), ..Limits::default() };
        let net = Net::new(Client::new(limits, Proxies::default(), Vec::new()));
        let sources = Sources::only(&[format!("{}/debian", self.server.url)], net);
        let archive = ArchiveSpec {
            name: "debian".into(),
            kind: ArchiveKind::Debian,
            suite: "trixie".into(),
            components: vec![],
            uri: String::new(),
        };
        let packages: Vec<&LockedPackage> = self.packages.iter().collect();
        fetch(&packages, &[archive], &sources, &self.store, &Progress::silent(), offline)
    }
}

#[test]
fn all_arrive_once() {
    let bench = Bench::new(20);
    bench.fetch(false).unwrap();
    assert!(bench.packages.iter().all(|p| bench.store.verify(&p.sha256).unwrap()));
    bench.fetch(true).unwrap();
    assert_eq!(bench.server.log().len(), 20);
}

#[test]
fn offline_says_what_is_missing() {
    let bench = Bench::new(12);
    let error = bench.fetch(true).unwrap_err();
    assert!(error.to_string().starts_with("12 packages are not in the store: p0, p1,"), "{error}");
    assert!(bench.server.log().is_empty());
}

#[test]
fn a_package_that_is_gone_names_itself_and_the_way_out() {
    let bench = Bench::new(8);
    bench.server.fault("debian/pool/p3.deb", Fault::Status(404));
    let error = bench.fetch(false).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Network, "no mirror serves p3 1"));
    assert!(error.help_text().unwrap().contains("lock --update p3"));
}

#[test]
fn our_own_packages_are_not_asked_of_mirrors() {
    let mut bench = Bench::new(2);
    bench.packages[1].archive = RUNTIME.into();
    let error = bench.fetch(false).unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert!(bench.server.log().is_empty());
    bench.packages[1].archive = "gone".into();
    assert!(bench.fetch(false).unwrap_err().to_string().contains("an archive `gone`"));
}
