//! Real builds and boots: minutes each, so only `./.ci/test` runs them, one after the other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, clippy::print_stdout)]

#[path = "real/apt.rs"]
mod apt;
#[path = "real/clients.rs"]
mod clients;
#[path = "real/console.rs"]
mod console;
#[path = "real/faults.rs"]
mod faults;
#[path = "real/mirror.rs"]
mod mirror;
#[path = "real/plugins.rs"]
mod plugins;
#[path = "real/rootless.rs"]
mod rootless;
#[path = "real/serial.rs"]
mod serial;
#[path = "real/shared.rs"]
mod shared;
#[path = "real/space.rs"]
mod space;
#[path = "real/sturdy.rs"]
mod sturdy;
#[path = "real/vendor.rs"]
mod vendor;
#[path = "real/verify.rs"]
mod verify;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use borg_tests::real::{bench, boot, build, edge_iot};
use borg_tests::{Bench, Ran, sha256};

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn edge_iot_boots_in_all_ways() {
    let bench = bench();
    let profile = bench.profile("edge-iot", &edge_iot("edge-iot", ""));
    let ran = build(&bench, &profile, &[]).exits(0);
    let iso = PathBuf::from(ran.last_line());
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    let sums = fs::read_to_string(iso.with_extension("sha256")).unwrap();
    assert!(sums.starts_with(&sha256(&iso)), "{sums}");
    assert!(fs::metadata(&iso).unwrap().len() < 2_000_000_000);
    for (firmware, media) in [("bios", "cd"), ("bios", "usb"), ("uefi", "cd"), ("uefi", "usb"), ("uefi-secure", "usb")]
    {
        boot(&bench, &profile, firmware, media, &[]);
    }
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn one_lock_gives_one_hash() {
    let bench = bench();
    let profile = bench.profile("edge-iot", &edge_iot("edge-iot", ""));
    let first = PathBuf::from(build(&bench, &profile, &[]).exits(0).last_line());
    let hash = sha256(&first);
    // Another store without layers, another time zone, another locale, another folder, no network.
    let second = Bench { folder: bench.folder.clone(), store: bench.folder.join("store-2") };
    let _ = fs::remove_dir_all(&second.store);
    assert!(
        std::process::Command::new("cp").args(["-al"]).arg(&bench.store).arg(&second.store).status().unwrap().success()
    );
    second.run(&["clean", "--layers", "--tools"]).exits(0).says("removed");
    let args = ["--net", "--", borg_tests::program().to_str().unwrap(), "build", "--locked", "--offline", "--profile"]
        .map(str::to_owned);
    let output = std::process::Command::new("unshare")
        .args(args)
        .arg(&profile)
        .args(["--out", bench.folder.join("elsewhere").to_str().unwrap(), "--tag", "other"])
        .current_dir("/")
        .env("BORG_STORE", &second.store)
        .env("TZ", "Pacific/Chatham")
        .env("LC_ALL", "de_DE.UTF-8")
        .env("SOURCE_DATE_EPOCH", "1")
        .output()
        .unwrap();
    let ran = Ran::new(&output).exits(0).says("base rebuilt").says("files rebuilt");
    assert_eq!(sha256(Path::new(ran.last_line())), hash);
    fs::remove_dir_all(&second.store).unwrap();
    fs::remove_dir_all(bench.folder.join("elsewhere")).unwrap();

    // A lock whose outputs say something else is found out.
    let path = profile.with_extension("lock");
    let lock = fs::read_to_string(&path).unwrap();
    fs::write(&path, lock.replace(&hash, &"0".repeat(64))).unwrap();
    let ran = build(&bench, &profile, &["--locked"]).exits(5);
    fs::write(&path, lock).unwrap();
    ran.says("iso: the lock names 0000");
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn only_what_changed_is_made_anew() {
    let bench = bench();
    let file = |path: &str, text: &str| format!("files:\n  - path: {path}\n    content: \"{text}\"\n");
    // Layers of an earlier run of this test would be found again.
    bench.run(&["clean", "--layers"]).exits(0);
    let profile = bench.profile("edit", &edge_iot("edit", &file("/etc/motd", "one")));
    build(&bench, &profile, &["--fast"]).exits(0);
    bench.profile("edit", &edge_iot("edit", &file("/etc/motd", "two $(touch /x) `id` 'q'")));
    let ran = build(&bench, &profile, &["--fast"]).exits(0);
    let _ =
        ran.says("base reused").says("packages reused").says("initrd reused").says("files rebuilt: /etc/motd changed");
    build(&bench, &profile, &["--fast"]).exits(0).says("nothing changed");
    // A cut ISO is noticed.
    let iso = PathBuf::from(build(&bench, &profile, &["--fast"]).exits(0).last_line());
    let whole = sha256(&iso);
    fs::File::options().write(true).open(&iso).unwrap().set_len(1_000_000).unwrap();
    build(&bench, &profile, &["--fast"]).exits(0).says("assembling");
    assert_eq!(sha256(&iso), whole);
    // So is a limit that the finished image does not keep, and a layer whose bytes changed in the store.
    let limited = format!("{}image: {{size_limit: 100 MB}}\n", file("/etc/motd", "two $(touch /x) `id` 'q'"));
    bench.profile("edit", &edge_iot("edit", &limited));
    build(&bench, &profile, &["--fast"]).exits(1).says("more than its limit of 100 MB").says("the largest packages");
    bench.profile("edit", &edge_iot("edit", &file("/etc/motd", "three")));
    spoil(&bench, &iso);
    let ran = build(&bench, &profile, &["--fast"]).exits(0).says("base rebuilt: not in the store any more");
    let _ = ran.says("packages reused").says("initrd reused");
    bench.profile("edit", &edge_iot("edit", &file("/etc/modprobe.d/local.conf", "blacklist pcspkr\\n")));
    build(&bench, &profile, &["--fast"])
        .exits(0)
        .says("packages reused")
        .says("initrd rebuilt: /etc/modprobe.d/local.conf added");
    bench.profile("edit", &edge_iot("edit", "packages: [jq]"));
    build(&bench, &profile, &["--fast"]).exits(0).says("base reused").says("package jq added");
}

/// Changes a byte of the base layer in the store; size and name stay.
fn spoil(bench: &Bench, iso: &Path) {
    let manifest = fs::read_to_string(iso.with_extension("manifest.json")).unwrap();
    let base = manifest.split("\"name\": \"base\"").nth(1).unwrap();
    let digest = base.split("\"sha256\": \"").nth(1).unwrap().split('"').next().unwrap();
    let object = faults::objects(&bench.store, digest);
    let file = fs::File::options().write(true).open(object).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"spoilt", 1_000_000).unwrap();
}

/// Mounts and workers that belong to this store.
fn traces(bench: &Bench) -> Vec<String> {
    let store = bench.store.to_str().unwrap();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mut found: Vec<String> = mounts.lines().filter(|l| l.contains(store)).map(str::to_owned).collect();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains("__worker") && line.contains(store) {
            found.push(line);
        }
    }
    found
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_killed_build_leaves_nothing_behind() {
    let bench = bench();
    let profile = bench.profile("edit", &edge_iot("edit", "packages: [tree]"));
    let reference = build(&bench, &profile, &["--fast"]).exits(0);
    let hash = sha256(Path::new(reference.last_line()));
    for (signal, seconds, code) in [("KILL", 3, None), ("INT", 4, Some(130))] {
        bench.run(&["clean", "--layers"]).exits(0);
        let out = bench.folder.join("out");
        let mut child = bench
            .command(&["build", "--fast", "--profile", profile.to_str().unwrap(), "--out", out.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It has both processes of a worker and mounts by now: what is looked for afterwards can be seen.
        let both =
            |found: &[String]| ["__worker ", "__worker-init "].iter().all(|p| found.iter().any(|l| l.contains(p)));
        let begin = Instant::now();
        while !both(&traces(&bench)) {
            assert!(begin.elapsed() < Duration::from_mins(2), "no worker came");
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(seconds));
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code, "after SIG{signal}");
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(traces(&bench), [""; 0], "after SIG{signal}");
    }
    let again = build(&bench, &profile, &["--fast"]).exits(0);
    assert_eq!(sha256(Path::new(again.last_line())), hash);
    assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0);
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_second_build_waits_and_reuses() {
    let bench = bench();
    let profile = bench.profile("twice", &edge_iot("twice", "hostname: twice\n"));
    bench.run(&["lock", "--profile", profile.to_str().unwrap()]).exits(0);
    let out = bench.folder.join("out");
    let start = || {
        bench
            .command(&["build", "--fast", "--profile", profile.to_str().unwrap(), "--out", out.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start(), start()].map(|child| Ran::new(&child.wait_with_output().unwrap()).exits(0));
    let reused = both.iter().filter(|ran| ran.stderr.contains("nothing changed")).count();
    assert_eq!(reused, 1, "{both:?}");
}
