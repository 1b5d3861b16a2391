//! What a build says beforehand that it will take, beside what it takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use borg_tests::real::{bench, build, edge_iot};

/// The store's objects and their bytes.
fn objects(store: &Path) -> BTreeMap<String, u64> {
    let found = Command::new("find").arg(store.join("objects")).args(["-type", "f", "-printf", "%f %s\\n"]).output();
    let text = String::from_utf8(found.unwrap().stdout).unwrap();
    let pair = |line: &str| line.split_once(' ').map(|(name, size)| (name.to_owned(), size.parse().unwrap()));
    text.lines().filter_map(pair).collect()
}

/// The hash in an entry of the lock.
fn digest(entry: &str) -> Option<&str> {
    entry.lines().find(|line| line.starts_with("sha256 = "))?.split('"').nth(1)
}

/// The packages' hashes in the profile's lock.
fn locked(profile: &Path) -> Vec<String> {
    let lock = fs::read_to_string(profile.with_extension("lock")).unwrap();
    lock.split("[[package]]").skip(1).filter_map(digest).map(str::to_owned).collect()
}

/// The package becomes what it is on a machine that never saw it.
fn forget(package: &str, store: &Path) {
    let object = |hash: &str| store.join("objects").join(&hash[..2]).join(hash);
    let record = store.join("records/debs").join(package).with_extension("json");
    if let Ok(text) = fs::read_to_string(&record) {
        let ready: serde_json::Value = serde_json::from_str(&text).unwrap();
        fs::remove_file(object(ready["object"].as_str().unwrap())).unwrap();
        fs::remove_file(&record).unwrap();
    }
    fs::remove_file(object(package)).ok();
}

/// The megabytes of the line `plan`: download, store, ISO. It comes again once packages that were never seen have been read.
fn foreseen(said: &str) -> [u64; 3] {
    let mut lines = said.lines().filter(|line| line.trim_start().starts_with("plan "));
    let line = lines.next_back().unwrap_or_else(|| panic!("{said}"));
    assert!(!line.contains("up to"), "{line}");
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    std::array::from_fn(|_| numbers.next().unwrap_or_else(|| panic!("{line}")))
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn space_is_foreseen_within_a_tenth() {
    let bench = bench();
    let noise = "files: [{path: /srv/noise, source: noise}]\n";
    let random = "head -c 20000000 /dev/urandom >\"$1\"";
    let file = bench.folder.join("profiles/noise");
    assert!(Command::new("sh").args(["-c", random, "sh"]).arg(&file).status().unwrap().success());
    let profile = bench.profile("space", &edge_iot("space", ""));
    // Something of this name has been built before.
    build(&bench, &profile, &["--scratch", "auto"]).exits(0);
    bench.run(&["clean", "--layers"]).exits(0);
    // All layers; a package that changes the initrd; a large one that does not, and a file; the file alone.
    let large = "packages: [python3, git]\n";
    for more in ["", "packages: [lvm2]\n", &format!("{large}{noise}"), large] {
        bench.profile("space", &edge_iot("space", more));
        let seen = locked(&profile);
        bench.run(&["lock", "--profile", profile.to_str().unwrap()]).exits(0);
        locked(&profile).iter().filter(|package| !seen.contains(package)).for_each(|new| forget(new, &bench.store));
        let before = objects(&bench.store);
        let ran = build(&bench, &profile, &[]).exits(0);
        let [download, store, iso] = foreseen(&ran.stderr);
        let mut new = objects(&bench.store);
        new.retain(|name, _| !before.contains_key(name));
        let packages = locked(&profile);
        let debs: u64 = new.iter().filter(|(name, _)| packages.contains(name)).map(|(_, size)| size).sum();
        let size = fs::metadata(ran.last_line()).unwrap().len();
        let near = |what: &str, foreseen: u64, bytes: u64| {
            let (foreseen, bytes) = (foreseen as f64, bytes as f64 / 1e6);
            // Shown in whole megabytes.
            assert!(
                (foreseen - bytes).abs() <= bytes / 10.0 + 1.0,
                "{more:?}: {what}: {foreseen} MB, and {bytes} MB came"
            );
        };
        assert_eq!(download, debs.div_ceil(1_000_000), "{more:?}");
        near("the store", store, new.values().sum());
        near("the ISO", iso, size);
    }
}
