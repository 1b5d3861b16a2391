//! Locks written, read, compared.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::types::{FORMAT, Ids, LayerOutput, LockedArchive, LockedPackage, Made, Output, Outputs, PackageLayer};
use super::*;
use crate::{Digest, Error};

fn package(name: &str, version: &str) -> LockedPackage {
    LockedPackage {
        name: name.into(),
        version: version.into(),
        architecture: "all".into(),
        layer: Some(PackageLayer::Base),
        group: None,
        archive: "debian".into(),
        filename: format!("pool/{name}.deb"),
        size: 12,
        sha256: Digest::of(name),
    }
}

fn sample() -> Lock {
    Lock {
        format: FORMAT,
        spec: Digest::of("spec"),
        parts: BTreeMap::from([("packages".into(), Digest::of("packages"))]),
        epoch: 1_795_219_200,
        outputs: None,
        ids: Ids { users: BTreeMap::from([("messagebus".into(), 100)]), groups: BTreeMap::new() },
        archives: vec![LockedArchive {
            name: "debian".into(),
            suite: "trixie".into(),
            date: 1_795_219_200,
            sha256: Digest::of("InRelease"),
            signed_by: vec!["ABCD".into()],
        }],
        packages: vec![package("a", "1")],
        tools: vec![LockedPackage { layer: None, group: Some("boot".into()), ..package("qemu", "1:10") }],
        sysroot: vec![],
    }
}

#[test]
fn the_file_reads_well() {
    insta::assert_snapshot!(file::render(&sample()).unwrap());
}

#[test]
fn faults_are_named_with_their_line() {
    let good = file::render(&sample()).unwrap();
    let bad = [
        String::new(),
        "format = 2\nnews = true\n".to_owned(),
        good.replace("size = 12", "size = -1"),
        good.replace("architecture", "artichoke"),
        good.replace("[[package]]", "[[package"),
    ];
    let faults: Vec<String> = bad.iter().map(|text| file::parse(text).unwrap_err()).collect();
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn a_lock_vouches_for_a_layer_by_its_key_only() {
    let (key, record) = (Digest::of("key"), Digest::of("record"));
    let layer = |name: &str, key| LayerOutput { name: name.into(), sha256: Digest::of("l"), size: 2, key, record: key };
    let outputs = Outputs {
        iso: Output { sha256: Digest::of("iso"), size: 1 },
        kernel: Digest::of("k"),
        initrd: Digest::of("i"),
        boot: Some(Made { key, record }),
        layers: vec![layer("base", Some(key)), layer("packages", None)],
    };
    let lock = Lock { outputs: Some(outputs), ..sample() };
    assert_eq!(lock.vouched("base", &key), Some(key));
    assert_eq!(lock.vouched("initrd", &key), Some(record));
    assert_eq!(lock.vouched("initrd", &record), None);
    assert_eq!(lock.vouched("packages", &key), None);
    assert_eq!(sample().vouched("base", &key), None);
}

#[test]
fn files_that_are_absent_or_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.lock");
    assert_eq!(file::read(&path).unwrap(), None);
    let mut whole = sample();
    whole.packages[0].layer = Some(PackageLayer::Essential);
    whole.tools[0].group = Some("build".into());
    file::write(&path, &whole).unwrap();
    assert_eq!(file::read(&path).unwrap(), Some(whole.clone()));
    let fault = |lock: Lock| {
        file::write(&path, &lock).unwrap();
        file::read(&path).unwrap_err().causes().join(" ")
    };
    assert_eq!(fault(Lock { packages: vec![], ..whole.clone() }), "it names no essential packages");
    assert_eq!(fault(Lock { tools: vec![], ..whole.clone() }), "it names no tools to build with");
    let mut huge = whole.clone();
    huge.packages[0].size = u64::MAX;
    assert!(fault(huge).ends_with("has 18446744073709551615 bytes"));
    assert_eq!(fault(Lock { epoch: 1 << 32, ..whole }), "its epoch 4294967296 does not fit into 32 bits");
    std::fs::write(&path, b"\xff").unwrap();
    assert_eq!(file::read(&path).unwrap_err().kind(), crate::Kind::Input);
    std::fs::write(&path, "format = 1").unwrap();
    let error: Error = file::read(&path).unwrap_err();
    assert!(error.help_text().is_some_and(|help| help.contains("borg-compose lock")));
    let pipe = path.with_extension("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(file::read(&pipe).unwrap_err().kind(), crate::Kind::Input);
}

#[test]
fn changes_read_as_old_and_new() {
    let old = sample();
    let mut new = sample();
    new.packages = vec![package("b", "2"), LockedPackage { sha256: Digest::of("x"), ..package("c", "3") }];
    let mut older = old.clone();
    older.packages.push(package("c", "3"));
    new.tools[0].version = "1:11".into();
    let lines: Vec<String> = diff(&older, &new).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(diff(&old, &old), []);
}

fn any_package() -> impl Strategy<Value = LockedPackage> {
    let layer = prop_oneof![Just(None), Just(Some(PackageLayer::Essential)), Just(Some(PackageLayer::Packages))];
    ("[a-z0-9+.-]{1,8}", "\\PC{0,8}", layer, proptest::option::of("[a-z]{1,5}"), 0..=i64::MAX as u64).prop_map(
        |(name, version, layer, group, size)| LockedPackage { version, layer, group, size, ..package(&name, "") },
    )
}

fn any_lock() -> impl Strategy<Value = Lock> {
    let packages = || proptest::collection::vec(any_package(), 0..4);
    let outputs = proptest::option::of("\\PC{1,8}".prop_map(|name| Outputs {
        iso: Output { sha256: Digest::of(&name), size: 1 },
        kernel: Digest::of("k"),
        initrd: Digest::of("i"),
        boot: (name.len() > 2).then(|| Made { key: Digest::of("bk"), record: Digest::of("br") }),
        layers: vec![LayerOutput {
            sha256: Digest::of("l"),
            size: 2,
            key: (name.len() > 4).then(|| Digest::of("k")),
            record: (name.len() > 4).then(|| Digest::of("r")),
            name,
        }],
    }));
    (packages(), packages(), outputs, 0..=i64::MAX as u64).prop_map(|(packages, tools, outputs, epoch)| Lock {
        epoch,
        outputs,
        packages,
        tools,
        ..sample()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(lock in any_lock()) {
        let text = file::render(&lock).unwrap();
        prop_assert_eq!(file::parse(&text).unwrap(), lock);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "(format = 1\n)?(\\[\\[package\\]\\]|[a-z]+ = |\"\\PC{0,5}\"|\n|[0-9]){0,12}") {
        let _ = file::parse(&text);
    }
}
