//! Archives that are served from here: whole states, good and bad.

use std::io::Write;
use std::time::Duration;

use pgp::composed::SignedSecretKey;
use proptest::prelude::*;

use super::*;
use crate::archive::net::testing::{Fault, Server};
use crate::archive::net::{Client, Limits, Net, Proxies};
use crate::archive::solve::tests::index_of;
use crate::archive::trust::tests::{armoured, key, signed};

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    server: Server,
    key: SignedSecretKey,
    archive: ArchiveSpec,
    now: u64,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let server = Server::start();
        let key = key();
        let archive = ArchiveSpec {
            name: "extra".into(),
            kind: ArchiveKind::Extra { key: armoured(&key) },
            suite: "test".into(),
            components: vec!["main".into()],
            uri: server.url.clone(),
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        Bench { _folder: folder, store, server, key, archive, now }
    }

    /// Publishes an index of `lines`, dated `age` seconds ago.
    fn publish(&self, lines: &[&str], age: u64, more: &str) -> Digest {
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(index_of(lines).as_bytes()).unwrap();
        let packages = xz.finish().unwrap();
        let sha256 = Digest::of(&packages);
        let date = jiff::Timestamp::from_second(i64::try_from(self.now - age).unwrap()).unwrap();
        let date = date.strftime("%a, %d %b %Y %H:%M:%S UTC");
        let path = "main/binary-amd64/Packages.xz";
        let release = format!("Suite: test\nDate: {date}\n{more}SHA256:\n {sha256} {} {path}\n", packages.len());
        self.server.put("dists/test/InRelease", signed(&release, &self.key));
        self.server.put(&format!("dists/test/{path}"), packages.clone());
        self.server.put(&format!("dists/test/main/binary-amd64/by-hash/SHA256/{sha256}"), packages);
        sha256
    }

    fn load_into(&self, archive: &ArchiveSpec, store: &Store, progress: &Progress) -> Result<State> {
        let limits = Limits { connect: Duration::from_secs(2), stall: Duration::from_secs(2), ..Limits::default() };
        let sources = Sources::only(&[], Net::new(Client::new(limits, Proxies::default(), Vec::new())));
        load(archive, Edges { sources: &sources, store, progress, now: self.now })
    }

    fn load_from(&self, archive: &ArchiveSpec) -> Result<State> {
        self.load_into(archive, &self.store, &Progress::silent())
    }

    fn load(&self) -> Result<State> {
        self.load_from(&self.archive)
    }

    fn reason(&self) -> String {
        self.load().unwrap_err().causes().join("\n").replace(&self.server.url, "http://M")
    }
}

#[test]
fn an_index_is_read_and_kept_decoded() {
    let bench = Bench::new();
    bench.publish(&["a 1"], 100, "");
    let state = bench.load().unwrap();
    assert_eq!(state.indices, [index_of(&["a 1"])]);
    assert_eq!((state.locked.name.as_str(), state.locked.date), ("extra", bench.now - 100));
    let asked = bench.server.log().len();
    bench.load().unwrap();
    assert_eq!(bench.server.log().len(), asked + 1, "only InRelease is asked for again");
}

#[test]
fn of_two_runs_on_a_fresh_store_one_fetches_and_the_other_reuses() {
    let bench = Bench::new();
    bench.publish(&["a 1"], 100, "");
    let index = "dists/test/main/binary-amd64/Packages.xz";
    bench.server.fault(index, Fault::Drip(0, Duration::from_millis(3)));
    let progress = Progress::silent();
    let run = || {
        let store = Store::open(bench.store.root()).unwrap();
        bench.load_into(&bench.archive, &store, &progress).map(|state| state.indices)
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for run in runs {
            assert_eq!(run.join().unwrap().unwrap(), [index_of(&["a 1"])]);
        }
    });
    assert_eq!(bench.server.log().iter().filter(|asked| asked.starts_with(index)).count(), 1);
    let waits = "  waiting  for another run, which reads main/binary-amd64/Packages.xz of test";
    assert!(progress.said().lines().all(|line| line == waits) && progress.said() != "", "{}", progress.said());
}

#[test]
fn hashes_are_asked_for_by_name_where_the_archive_has_them() {
    let bench = Bench::new();
    let sha256 = bench.publish(&["a 1"], 100, "Acquire-By-Hash: yes\n");
    bench.load().unwrap();
    let path = format!("dists/test/main/binary-amd64/by-hash/SHA256/{sha256}");
    assert_eq!(bench.server.log()[1], format!("{path} 0"));
    let sha256 = bench.publish(&["a 2"], 50, "Acquire-By-Hash: yes\n");
    bench.server.fault(&format!("dists/test/main/binary-amd64/by-hash/SHA256/{sha256}"), Fault::Status(404));
    assert_eq!(bench.load().unwrap().indices, [index_of(&["a 2"])]);
}

#[test]
fn a_replayed_index_is_refused() {
    let bench = Bench::new();
    bench.publish(&["a 1"], 500, "");
    bench.load().unwrap();
    bench.publish(&["a 2"], 100, "");
    bench.load().unwrap();
    bench.publish(&["a 1"], 500, "");
    assert!(bench.reason().contains("older than one seen before"), "{}", bench.reason());
}

#[test]
fn expired_future_foreign_and_misnamed_indices_are_refused() {
    let bench = Bench::new();
    bench.publish(&["a 1"], 500, "Valid-Until: Thu, 01 Jan 2026 00:00:00 UTC\n");
    assert!(bench.reason().contains("expired at 2026-01-01"), "{}", bench.reason());
    let early = Bench { now: bench.now + 90_000, ..Bench::new() };
    early.publish(&["a 1"], 0, "");
    let early = Bench { now: bench.now, ..early };
    assert!(early.reason().contains("from the future"), "{}", early.reason());
    let foreign = Bench { key: key(), ..Bench::new() };
    foreign.publish(&["a 1"], 100, "");
    assert!(foreign.reason().contains("not signed by a key of the archive"), "{}", foreign.reason());
    let mut misnamed = Bench::new();
    misnamed.publish(&["a 1"], 100, "");
    misnamed.server.put("dists/other/InRelease", signed("Suite: test\nDate: x\n", &misnamed.key));
    misnamed.archive.suite = "other".into();
    assert!(misnamed.reason().contains("without Date"), "{}", misnamed.reason());
    let release = "Suite: test\nDate: Sat, 21 Nov 2026 00:00:00 UTC\nSHA256:\n";
    misnamed.server.put("dists/other/InRelease", signed(release, &misnamed.key));
    assert!(misnamed.reason().contains("index of `test` as that of `other`"), "{}", misnamed.reason());
}

#[test]
fn an_index_with_other_bytes_is_refused() {
    let bench = Bench::new();
    bench.publish(&["a 1"], 100, "");
    bench.server.put("dists/test/main/binary-amd64/Packages.xz", "other bytes");
    assert!(bench.load().is_err());
    bench.publish(&["a 1"], 100, "");
    assert!(bench.load().is_ok());
}

#[test]
fn an_archive_may_have_plain_indices_only() {
    let bench = Bench::new();
    let plain = index_of(&["a 1"]);
    let date = jiff::Timestamp::from_second(i64::try_from(bench.now).unwrap()).unwrap();
    let date = date.strftime("%a, %d %b %Y %H:%M:%S UTC");
    let path = "main/binary-amd64/Packages";
    let release =
        format!("Suite: test\nDate: {date}\nSHA256:\n {} {} {path}\n", Digest::of(plain.as_bytes()), plain.len());
    bench.server.put("dists/test/InRelease", signed(&release, &bench.key));
    bench.server.put(&format!("dists/test/{path}"), plain.clone());
    for _ in 0..2 {
        assert_eq!(bench.load().unwrap().indices, std::slice::from_ref(&plain));
    }
}

#[test]
fn a_component_or_key_that_is_not_there_is_the_profiles_fault() {
    let bench = Bench::new();
    bench.publish(&["a 1"], 100, "");
    let mut archive = bench.archive.clone();
    archive.components.push("extras".into());
    let error = bench.load_from(&archive).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("`extras`")), (crate::Kind::Input, true));
    archive.kind = ArchiveKind::Extra { key: "no key".into() };
    assert_eq!(bench.load_from(&archive).unwrap_err().kind(), crate::Kind::Input);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn damaged_indices_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let sha256 = store.insert(&bytes).unwrap();
        let _ = decode("main/Packages.xz", &sha256, &store);
        let _ = decode("main/Packages.gz", &sha256, &store);
    }
}

#[test]
fn what_a_lock_was_made_from_is_kept() {
    let bench = Bench::new();
    bench.publish(&["a 1"], 100, "");
    let locked = bench.load().unwrap().locked;
    let files = kept::files(&locked, &bench.store).unwrap().unwrap();
    let text = |path: &str| String::from_utf8(bench.store.read(&files[path]).unwrap().unwrap()).unwrap();
    assert!(text("dists/test/InRelease").contains("Suite: test") && files.len() == 2);
    assert_eq!(text("dists/test/main/binary-amd64/Packages"), index_of(&["a 1"]));
    bench.store.discard(&files["dists/test/InRelease"]).unwrap();
    assert_eq!(kept::files(&locked, &bench.store).unwrap(), None);
}
