//! Mirrors with faults, on the loopback.

use std::time::{Duration, Instant};

use super::testing::{Fault, Server, nobody};
use super::*;
use crate::Digest;
use crate::store::Store;

const PATH: &str = "pool/g/g++_1_amd64.deb";

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    net: Net,
    progress: Progress,
    bytes: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let limits = Limits {
            connect: Duration::from_secs(2),
            stall: Duration::from_millis(300),
            small: Duration::from_secs(1),
            large: Pace { within: Duration::from_millis(600), least: Some(2000) },
        };
        let net = Net::new(Client::new(limits, Proxies::default(), Vec::new()));
        let bytes = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        Bench { _folder: folder, store, net, progress: Progress::silent(), bytes }
    }

    fn fetch(&self, mirrors: &[&str]) -> Result<Vec<u8>> {
        let wanted = Wanted { path: PATH, size: self.bytes.len() as u64, sha256: Digest::of(&self.bytes) };
        let mirrors: Vec<String> = mirrors.iter().map(|m| (*m).to_owned()).collect();
        let task = self.progress.bytes("test", wanted.size);
        let path = self.net.first(&mirrors, "g++ 1", &self.progress, |client, mirror| {
            client.download(mirror, &wanted, &self.store, &task)
        })?;
        Ok(std::fs::read(path).unwrap())
    }

    fn good(&self) -> Server {
        let server = Server::start();
        server.put(PATH, self.bytes.clone());
        server
    }
}

#[test]
fn a_mirror_without_the_file_is_replaced_by_the_next() {
    let bench = Bench::new();
    let (empty, good) = (Server::start(), bench.good());
    assert_eq!(bench.fetch(&[&nobody(), &empty.url, &good.url]).unwrap(), bench.bytes);
    assert_eq!(empty.log().len(), 1);
}

#[test]
fn a_mirror_with_other_bytes_is_not_asked_again() {
    let bench = Bench::new();
    let (bad, good) = (Server::start(), bench.good());
    bad.put(PATH, vec![7; bench.bytes.len()]);
    assert_eq!(bench.fetch(&[&bad.url, &good.url]).unwrap(), bench.bytes);
    bench.store.discard(&Digest::of(&bench.bytes)).unwrap();
    assert_eq!(bench.fetch(&[&bad.url, &good.url]).unwrap(), bench.bytes);
    assert_eq!(bad.log().len(), 1);
    let longer = Bench::new();
    bad.put(PATH, [&longer.bytes[..], b"more"].concat());
    assert!(longer.fetch(&[&bad.url]).unwrap_err().causes()[0].contains("serves other bytes"));
}

#[test]
fn a_silent_mirror_is_given_up_soon() {
    let bench = Bench::new();
    let (silent, good) = (bench.good(), bench.good());
    silent.fault(PATH, Fault::Stall(1000));
    let start = Instant::now();
    assert_eq!(bench.fetch(&[&silent.url, &good.url]).unwrap(), bench.bytes);
    assert!(start.elapsed() < Duration::from_secs(5));
    // What the silent one sent was not fetched again.
    assert_eq!(good.log(), [format!("{PATH} 1000")]);
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let bench = Bench::new();
    let server = bench.good();
    server.fault(PATH, Fault::CutOnce(5000));
    assert!(bench.fetch(&[&server.url]).unwrap() == bench.bytes);
    assert_eq!(server.log(), [format!("{PATH} 0"), format!("{PATH} 5000")]);
    assert_eq!(std::fs::read_dir(bench.store.root().join("partial")).unwrap().count(), 0);
}

#[test]
fn a_mirror_that_drips_is_given_up_and_said_to_be_slow() {
    let bench = Bench::new();
    let (slow, good) = (bench.good(), bench.good());
    slow.fault(PATH, Fault::Drip(5000, Duration::from_millis(50)));
    let start = Instant::now();
    assert!(bench.fetch(&[&slow.url, &good.url]).unwrap() == bench.bytes);
    assert!(start.elapsed() < Duration::from_secs(5));
    let said = bench.progress.said().replace(&slow.url, "http://A").replace(&good.url, "http://B");
    assert!(said.starts_with("   mirror  http://A is too slow: ") && said.ends_with(" s; asking http://B"), "{said}");
    let start = good.log()[0].rsplit(' ').next().unwrap().parse::<usize>().unwrap();
    assert!(start > 5000, "what dripped was used: {start}");
}

#[test]
fn a_small_file_must_come_whole_in_time() {
    let bench = Bench::new();
    let (slow, good) = (Server::start(), Server::start());
    for server in [&slow, &good] {
        server.put("InRelease", [7; 100]);
    }
    slow.fault("InRelease", Fault::Drip(50, Duration::from_millis(50)));
    let mirrors = [slow.url, good.url];
    let ask = |client: &Client, mirror: &str| client.small(mirror, "InRelease", 1000);
    assert_eq!(bench.net.first(&mirrors, "an index", &bench.progress, ask).unwrap(), [7; 100]);
    assert!(bench.progress.said().contains(" is too slow: "), "{}", bench.progress.said());
    let error = bench.net.first(&mirrors[1..], "an index", &bench.progress, |c, m| c.small(m, "InRelease", 99));
    assert!(error.unwrap_err().causes()[0].contains("serves other bytes"));
}

#[test]
fn a_server_without_ranges_starts_over() {
    let bench = Bench::new();
    let (silent, plain) = (bench.good(), bench.good());
    silent.fault(PATH, Fault::Stall(5000));
    plain.fault(PATH, Fault::NoRanges);
    assert!(bench.fetch(&[&silent.url, &plain.url]).unwrap() == bench.bytes);
    assert_eq!(plain.log(), [format!("{PATH} 5000")], "its answer is used as it is");
}

#[test]
fn bad_bytes_from_before_are_not_the_next_mirrors_fault() {
    let bench = Bench::new();
    let server = bench.good();
    let partial = bench.store.root().join("partial");
    std::fs::create_dir_all(&partial).unwrap();
    std::fs::write(partial.join(Digest::of(&bench.bytes).to_string()), [9; 100]).unwrap();
    assert_eq!(bench.fetch(&[&server.url]).unwrap(), bench.bytes);
    assert_eq!(server.log(), [format!("{PATH} 100"), format!("{PATH} 0")]);
}

#[test]
fn a_local_mirror_is_a_folder() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(PATH);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &bench.bytes).unwrap();
    let missing = "file:///nowhere/at/all";
    assert_eq!(bench.fetch(&[missing, &format!("file://{}", folder.path().display())]).unwrap(), bench.bytes);
}

#[test]
fn all_mirrors_dead_is_one_error_that_names_them() {
    let bench = Bench::new();
    let (server, refusing) = (Server::start(), Server::start());
    refusing.fault(PATH, Fault::Status(503));
    let nobody = nobody();
    let secret = format!("{}/debian", server.url).replace("http://", "http://me:secret@");
    let error = bench.fetch(&[&nobody, &secret, &refusing.url]).unwrap_err();
    let text = format!("{error}\n{}", error.causes().join("\n"));
    assert_eq!(server.authorizations(), ["Basic bWU6c2VjcmV0"]);
    let text = text.replace(&server.url, "http://A").replace(&refusing.url, "http://B").replace(&nobody, "http://C");
    insta::assert_snapshot!(text);
}

#[test]
fn credentials_are_never_shown() {
    assert_eq!(shown("http://me:se@cret@host:8/debian"), "http://host:8/debian");
    assert_eq!(shown("http://me:se/cret@host/debian"), "http://host/debian");
    assert_eq!(shown("file:///srv/a@b"), "file:///srv/a@b");
    assert_eq!(shown("https://host/debian"), "https://host/debian");
    assert_eq!(shown("file:///srv/debian"), "file:///srv/debian");
}
