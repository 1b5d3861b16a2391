//! A shared store in a folder and on a server: honest, lying, broken.

use std::fs;
use std::time::{Duration, Instant};

use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use super::*;
use crate::archive::net::testing::{Fault, Server, nobody};

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    progress: Progress,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        fs::create_dir(folder.path().join("team")).unwrap();
        Bench { folder, store, progress: Progress::silent() }
    }

    fn shared(&self) -> Shared {
        let address = format!("file://{}/team", self.folder.path().display());
        Shared::open(&Address::parse(&address).unwrap(), &self.progress).unwrap()
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("team").join(path)
    }

    fn lie(&self, digest: &Digest, bytes: &[u8]) {
        let place = self.place(&object(digest));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }

    fn pull(&self, shared: &Shared, digest: &Digest, size: u64) -> bool {
        let task = self.progress.bytes("pull", size);
        shared.pull(digest, size, &self.store, &task).unwrap()
    }
}

#[test]
fn what_is_pushed_is_pulled() {
    let bench = Bench::new();
    let shared = bench.shared();
    let digest = bench.store.insert(b"layer").unwrap();
    assert!(shared.push(&digest, &bench.store.object(&digest)).unwrap());
    assert!(!shared.push(&digest, &bench.store.object(&digest)).unwrap(), "it is there");
    bench.store.discard(&digest).unwrap();
    assert!(bench.pull(&shared, &digest, 5));
    assert!(bench.store.verify(&digest).unwrap());
    assert!(!bench.pull(&shared, &Digest::of("another"), 7));
    assert_eq!(bench.progress.said(), "", "what is not there is no news");
}

#[test]
fn a_folder_that_is_not_there_is_told_of() {
    let bench = Bench::new();
    fs::remove_dir(bench.place("")).unwrap();
    assert!(!bench.pull(&bench.shared(), &Digest::of("x"), 1));
    assert!(bench.progress.said().contains("team is not there; it is left alone"), "{}", bench.progress.said());
    bench.shared().make().unwrap();
    assert!(bench.place("").is_dir());
}

#[test]
fn other_bytes_are_told_never_kept_and_mended_by_a_push() {
    let bench = Bench::new();
    let shared = bench.shared();
    let digest = Digest::of("layer");
    for (lie, size) in
        [(&b"lAyer"[..], 5), (b"laye", 5), (b"layer and more", 5), (b"", 5), (b"layer", 6), (b"layer", 4)]
    {
        bench.lie(&digest, lie);
        let shared = bench.shared();
        assert!(!bench.pull(&shared, &digest, size), "{lie:?}");
        assert!(!bench.store.contains(&digest));
    }
    assert!(bench.progress.said().contains("has other bytes under objects/"), "{}", bench.progress.said());
    bench.lie(&digest, b"lAyer");
    assert!(!bench.pull(&shared, &digest, 5));
    let honest = bench.store.insert(b"layer").unwrap();
    assert!(shared.push(&honest, &bench.store.object(&honest)).unwrap(), "the same size, but known to be wrong");
    bench.store.discard(&honest).unwrap();
    assert!(bench.pull(&shared, &honest, 5));
}

#[test]
fn one_that_lies_again_and_again_is_left_alone() {
    let bench = Bench::new();
    let shared = bench.shared();
    for n in 0..6 {
        let digest = Digest::of(format!("object {n}"));
        bench.lie(&digest, b"something else");
        assert!(!bench.pull(&shared, &digest, 14));
    }
    assert_eq!(bench.progress.said().matches("has other bytes under").count(), STRIKES as usize);
    assert_eq!(bench.progress.said().matches("is left alone for the rest of this run").count(), 1);
}

#[test]
fn records_are_believed_by_their_signer_only() {
    let bench = Bench::new();
    let shared = bench.shared();
    let file = bench.folder.path().join("key");
    let private = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
    fs::write(&file, private.to_openssh(ssh_key::LineEnding::LF).unwrap().as_bytes()).unwrap();
    let key = SignKey::read(&file).unwrap();
    let statement = record::Statement { kind: "base".into(), key: Digest::of("key"), record: Digest::of("record") };
    shared.push_record(&statement, &key).unwrap();
    assert_eq!(shared.signed("base", &statement.key, key.public()).unwrap(), Some(statement.record));
    let other = PrivateKey::from(Ed25519Keypair::from_seed(&[8; 32]));
    assert_eq!(shared.signed("base", &statement.key, other.public_key()).unwrap(), None);
    assert_eq!(bench.progress.said(), "");

    // Put in the place of another key's, or of another signer's.
    let honest = bench.place(&record::path(&statement.key, key.public()));
    for (kind, asked, signer) in
        [("base", Digest::of("other"), key.public()), ("base", statement.key, other.public_key())]
    {
        let place = bench.place(&record::path(&asked, signer));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&honest, place).unwrap();
        assert_eq!(shared.signed(kind, &asked, signer).unwrap(), None);
    }
    assert_eq!(shared.signed("initrd", &statement.key, key.public()).unwrap(), None);
    assert_eq!(bench.progress.said().matches("is not believed").count(), 3);
}

#[test]
fn an_endless_record_is_cut_off() {
    let bench = Bench::new();
    let shared = bench.shared();
    let place = bench.place("records/x");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let file = fs::File::create(&place).unwrap();
    file.set_len(1 << 40).unwrap();
    let taken = shared.ask("records/x", |body| whole(body, record::LIMIT)).unwrap();
    assert_eq!(taken, None);
}

/// A server of HTTP with an object, and what comes of pulling it and then another one.
fn from_server(fault: Option<Fault>, more: &str) -> (Bench, Server, bool) {
    let (bench, server) = (Bench::new(), Server::start());
    let bytes = vec![7; 300_000];
    let digest = Digest::of(&bytes);
    let path = format!("team/{}", object(&digest));
    server.put(&path, bytes);
    if let Some(fault) = fault {
        server.fault(&path, fault);
    }
    let limits = Limits { silence: Duration::from_secs(2), within: Duration::from_secs(1), least: 1000 };
    let address = Address::parse(&format!("{}/team", server.url.replace("://", &format!("://{more}")))).unwrap();
    let shared = Shared::with(&address, limits, &bench.progress).unwrap();
    let start = Instant::now();
    let came = bench.pull(&shared, &digest, 300_000);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!(bench.store.contains(&digest), came);
    // It is left alone, or not.
    let start = Instant::now();
    let again = bench.pull(&shared, &Digest::of("missing"), 1);
    assert!(!again && start.elapsed() < Duration::from_secs(1));
    drop(shared);
    (bench, server, came)
}

#[test]
fn a_server_is_asked_with_its_password_which_is_never_shown() {
    let (bench, server, came) = from_server(None, "me:hunter2@");
    assert!(came, "{}", bench.progress.said());
    assert!(server.authorizations().iter().all(|header| header == "Basic bWU6aHVudGVyMg=="));
    assert_eq!(server.authorizations().len(), 2);
    assert_eq!(bench.progress.said(), "");
}

#[test]
fn a_server_that_hangs_drips_or_fails_is_left_alone() {
    for (fault, word) in [
        (Fault::Stall(1000), "did not answer within 2 s"),
        (Fault::Drip(1000, Duration::from_millis(100)), "is too slow"),
        (Fault::Status(500), "fails: "),
    ] {
        let (bench, server, came) = from_server(Some(fault), "me:hunter2@");
        let said = bench.progress.said();
        assert!(!came && said.contains(word) && said.contains("left alone"), "{fault:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(server.log().iter().all(|line| !line.contains(&Digest::of("missing").to_string())), "{fault:?}");
    }
    let bench = Bench::new();
    let shared = Shared::open(&Address::parse(&nobody()).unwrap(), &bench.progress).unwrap();
    assert!(!bench.pull(&shared, &Digest::of("x"), 1) && !bench.pull(&shared, &Digest::of("y"), 1));
    assert_eq!(bench.progress.said().matches("left alone").count(), 1, "{}", bench.progress.said());
}

#[test]
fn a_server_that_refuses_may_lack_just_that() {
    let (bench, server, came) = from_server(Some(Fault::Status(403)), "");
    assert!(!came);
    assert_eq!(bench.progress.said().matches("refuses some of what it is asked for").count(), 1);
    assert!(!bench.progress.said().contains("left alone"));
    assert!(server.log().iter().any(|line| line.contains(&Digest::of("missing").to_string())));
}
