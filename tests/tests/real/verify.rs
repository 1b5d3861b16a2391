//! A second build under other circumstances.

use std::fs;

use borg_tests::real::{bench, build, edge_iot};

use super::faults::runtime_with;

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn the_lock_built_again_gives_the_same_bytes() {
    let bench = bench();
    let profile = bench.profile("verified", &edge_iot("verified", ""));
    let path = profile.to_str().unwrap();
    bench.run(&["lock", "--profile", path]).exits(0);
    bench.run(&["verify", "--profile", path]).exits(1).says("names no outputs to compare with");
    build(&bench, &profile, &[]).exits(0);
    let lock = fs::read_to_string(profile.with_extension("lock")).unwrap();
    let ran = bench.run(&["verify", "--profile", path, "--offline"]).exits(0).says("the same bytes again");
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    assert_eq!(fs::read_to_string(profile.with_extension("lock")).unwrap(), lock, "verify writes nothing");
    assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0);
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn what_differs_is_named_with_its_package() {
    let bench = bench();
    let profile = bench.profile("dice", &edge_iot("dice", ""));
    let path = profile.to_str().unwrap();
    bench.run(&["lock", "--profile", path]).exits(0);
    let lock = fs::read_to_string(profile.with_extension("lock")).unwrap();
    let roll = "#!/bin/sh\nset -e\nod -An -N8 -tx1 /dev/urandom | tee /usr/bin/borg-com-monitor >/etc/rolled\ndate +%Y >/etc/year\n";
    let runtime = runtime_with(&bench, &lock, "borg-com-monitor", roll);
    build(&bench, &profile, &["--runtime", runtime.to_str().unwrap()]).exits(0);
    let ran = bench.run(&["verify", "--profile", path]).exits(5);
    let ran = ran.says("layer packages: /etc/year (no package's): content");
    let ran = ran.says("gave other bytes").says("layer packages: /etc/rolled (no package's): content");
    let ran = ran.says("layer packages: /usr/bin/borg-com-monitor (package borg-com-monitor): content").says("iso: ");
    assert!(!ran.stderr.contains("layer base:") && !ran.stderr.contains("initrd: "), "{}", ran.stderr);
    assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0);
}
