//! Snapshot servers, honest and otherwise.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::Digest;
use crate::archive::net::testing::{Fault, Server};
use crate::archive::net::{Limits, Proxies};
use crate::progress::Progress;

const SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const QUERY: &str = "mr/binary/g++/1:2+b1/binfiles?fileinfo=1";

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    server: Server,
    package: LockedPackage,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let bytes = vec![5; 5000];
        let package = LockedPackage {
            name: "g++".into(),
            version: "1:2+b1".into(),
            architecture: "amd64".into(),
            layer: None,
            group: None,
            archive: "debian".into(),
            filename: "pool/g++.deb".into(),
            size: 5000,
            sha256: Digest::of(&bytes),
        };
        let server = Server::start();
        server.put(&format!("file/{SHA1}"), bytes);
        Bench { _folder: folder, store, server, package }
    }

    fn answering(answer: &serde_json::Value) -> Self {
        let bench = Bench::new();
        bench.server.put(QUERY, answer.to_string());
        bench
    }

    fn download(&self) -> Result<PathBuf, String> {
        let limits = Limits { connect: Duration::from_secs(2), stall: Duration::from_millis(500), ..Limits::default() };
        let client = Client::new(limits, Proxies::default(), Vec::new());
        let task = Progress::silent().bytes("test", 0);
        download(&client, &self.server.url, &self.package, &self.store, &task).map_err(|e| e.to_string())
    }
}

fn known() -> serde_json::Value {
    json!({
        "_comment": "x", "binary": "g++", "binary_version": "1:2+b1",
        "result": [{ "architecture": "arm64", "hash": "0".repeat(40) }, { "architecture": "amd64", "hash": SHA1 }],
        "fileinfo": { SHA1: [{ "archive_name": "debian", "name": "g++_2+b1_amd64.deb", "path": "/pool", "size": 5000 }] },
    })
}

#[test]
fn a_package_comes_by_the_name_that_the_server_has_for_it() {
    let bench = Bench::answering(&known());
    let path = bench.download().unwrap();
    assert!(path == bench.store.object(&bench.package.sha256) && bench.store.verify(&bench.package.sha256).unwrap());
    assert_eq!(bench.server.log(), [format!("{QUERY} 0"), format!("file/{SHA1} 0")]);
}

#[test]
fn a_server_of_old_that_tells_no_sizes_will_do() {
    let bench = Bench::answering(&json!({ "result": [{ "architecture": "amd64", "hash": SHA1 }] }));
    assert!(bench.download().is_ok());
}

#[test]
fn what_the_server_does_not_have_is_said() {
    assert!(Bench::new().download().unwrap_err().starts_with("answers 404 for mr/binary/g++/1:2+b1/binfiles"));
    let other = json!({ "result": [{ "architecture": "arm64", "hash": SHA1 }] });
    assert_eq!(Bench::answering(&other).download().unwrap_err(), "does not have g++ 1:2+b1 for amd64");
    // Another size is another file: it is not even asked for.
    let larger = json!({ "result": known()["result"], "fileinfo": { SHA1: [{ "size": 6000 }] } });
    let bench = Bench::answering(&larger);
    assert!(bench.download().unwrap_err().starts_with("does not have") && bench.server.log().len() == 1);
}

#[test]
fn answers_that_make_no_sense_are_refused() {
    for garbage in ["", "<html>log in</html>", "[]", "{\"result\": 3}", "{\"result\": [{\"hash\": \"x\"}]}"] {
        let bench = Bench::new();
        bench.server.put(QUERY, garbage);
        assert_eq!(bench.download().unwrap_err(), "gives an answer that is none of a snapshot server");
    }
    let bench = Bench::new();
    bench.server.put(QUERY, vec![b' '; 2 << 20]);
    assert!(bench.download().unwrap_err().starts_with("gives an answer that is none"));
    // A name that would lead elsewhere is none.
    let elsewhere = json!({ "result": [{ "architecture": "amd64", "hash": "../../secret" }] });
    assert!(Bench::answering(&elsewhere).download().unwrap_err().starts_with("does not have"));
}

#[test]
fn other_bytes_are_not_taken_and_the_next_file_is_tried() {
    let (liar, honest) = ("1".repeat(40), json!({ "architecture": "amd64", "hash": SHA1 }));
    let answer = json!({ "result": [{ "architecture": "amd64", "hash": liar }, honest] });
    let bench = Bench::answering(&answer);
    bench.server.put(&format!("file/{liar}"), vec![6; 5000]);
    assert!(bench.download().is_ok());
    let bench = Bench::answering(&answer);
    bench.server.put(&format!("file/{SHA1}"), vec![6; 5000]);
    let error = bench.download().unwrap_err();
    assert!(
        error.starts_with("serves other bytes than the signed ones for file/")
            && !bench.store.contains(&bench.package.sha256)
    );
    let bench = Bench::answering(&known());
    bench.server.fault(&format!("file/{SHA1}"), Fault::CutOnce(1000));
    assert!(bench.download().unwrap_err().starts_with("ended the connection early"));
    assert!(bench.download().is_ok(), "it goes on where it was cut");
}
