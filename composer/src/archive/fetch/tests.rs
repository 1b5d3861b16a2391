//! Downloads of whole locks, from mirrors on the loopback.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::archive::net::testing::{Fault, Server};
use crate::archive::net::{Client, Limits, Net, Proxies};
use crate::archive::vendor::{Vendor, deb};
use crate::spec::types::ArchiveKind;
use crate::{Digest, Kind};

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    server: Server,
    packages: Vec<LockedPackage>,
    snapshot: Option<String>,
    vendor: Option<PathBuf>,
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
        Bench { _folder: folder, store, server, packages, snapshot: None, vendor: None }
    }

    fn fetch(&self, offline: bool) -> Result<()> {
        let limits = Limits { connect: Duration::from_secs(2), stall: Duration::from_secs(2), ..Limits::default() };
        let net = Net::new(Client::new(limits, Proxies::default(), Vec::new()));
        let vendor = self.vendor.as_deref().map(|place| Vendor::open(place).unwrap());
        let sources = Sources::only(&[format!("{}/debian", self.server.url)], net).with(vendor, self.snapshot.clone());
        let archive = |name: &str, kind: ArchiveKind| ArchiveSpec {
            name: name.into(),
            kind,
            suite: "trixie".into(),
            components: vec![],
            uri: format!("{}/debian", self.server.url),
        };
        let archives =
            [archive("debian", ArchiveKind::Debian), archive("theirs", ArchiveKind::Extra { key: String::new() })];
        let packages: Vec<&LockedPackage> = self.packages.iter().collect();
        fetch(&packages, &archives, &sources, &self.store, &Progress::silent(), offline)
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

impl Bench {
    /// A bench whose mirror has lost this package, and a snapshot server that may have it.
    fn gone(place: usize) -> (Self, Server) {
        let mut bench = Bench::new(4);
        bench.server.fault(&format!("debian/{}", bench.packages[place].filename), Fault::Status(404));
        let server = Server::start();
        bench.snapshot = Some(server.url.clone());
        (bench, server)
    }
}

/// Lets a snapshot server have a package.
fn publish(server: &Server, package: &LockedPackage, bytes: Vec<u8>) {
    let hash = "a".repeat(40);
    let answer = format!(r#"{{"result":[{{"architecture":"all","hash":"{hash}"}}]}}"#);
    server.put(&format!("mr/binary/{}/{}/binfiles?fileinfo=1", package.name, package.version), answer);
    server.put(&format!("file/{hash}"), bytes);
}

#[test]
fn what_has_left_the_mirrors_comes_from_a_snapshot_server() {
    let (bench, server) = Bench::gone(2);
    publish(&server, &bench.packages[2], vec![2; 1002]);
    bench.fetch(false).unwrap();
    assert!(bench.store.verify(&bench.packages[2].sha256).unwrap());
    assert_eq!(server.log().len(), 2, "it is asked for nothing else");
}

#[test]
fn when_everything_fails_all_that_was_asked_is_named() {
    let (bench, server) = Bench::gone(2);
    publish(&server, &bench.packages[2], vec![7; 1002]);
    let error = bench.fetch(false).unwrap_err();
    let text = format!("{error}\n{}\n{}", error.causes().join("\n"), error.help_text().unwrap());
    insta::assert_snapshot!(text.replace(&bench.server.url, "http://M").replace(&server.url, "http://S"));
    assert_eq!(error.kind(), Kind::Network);
}

#[test]
fn the_snapshot_server_is_asked_for_nothing_of_others() {
    let (mut bench, server) = Bench::gone(2);
    bench.packages[2].archive = "theirs".into();
    assert_eq!(bench.fetch(false).unwrap_err().to_string(), "no mirror serves p2 1");
    assert!(server.log().is_empty());
}

#[test]
fn a_vendor_archive_is_asked_first_and_needs_no_network() {
    let mut bench = Bench::new(3);
    bench.packages[1].archive = RUNTIME.into();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("debs")).unwrap();
    let write = |n: u8, bytes: Vec<u8>| {
        std::fs::write(folder.path().join(deb(&bench.packages[usize::from(n)].sha256)), bytes).unwrap();
    };
    write(0, vec![0; 1000]);
    write(1, vec![1; 1001]);
    write(2, vec![9; 1002]);
    bench.vendor = Some(folder.path().to_owned());
    let error = bench.fetch(true).unwrap_err();
    assert!(error.to_string().starts_with("1 packages are neither in the store nor in"), "{error}");
    assert!(error.causes()[0].contains("has no whole p2 1"), "{error:?}");
    assert!(bench.server.log().is_empty());
    // With a network the mirrors give what the archive has not.
    bench.fetch(false).unwrap();
    assert_eq!(bench.server.log(), ["debian/pool/p2.deb 0"]);
}
