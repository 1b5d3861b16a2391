//! A shared store in a folder: honest, lying, broken.

use std::fs;

use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use super::*;

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    progress: Progress,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
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
