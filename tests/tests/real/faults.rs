//! Hosts and inputs that fail a build: a full disk, a package that cannot be configured, words that try to be code.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use borg_tests::real::{bench, build, edge_iot};
use borg_tests::{Bench, Ran, checkout, program, sha256};

/// The shared store's content as hard links in another place: what a test breaks there stays whole here.
pub fn borrowed(bench: &Bench) -> Bench {
    let other = Bench { folder: bench.folder.clone(), store: bench.folder.join("store-borrowed") };
    let _ = fs::remove_dir_all(&other.store);
    let linked = Command::new("cp").arg("-al").arg(&bench.store).arg(&other.store).status().unwrap();
    assert!(linked.success());
    other
}

/// The SHA-256 of a package in a lock.
pub fn locked(lock: &str, package: &str) -> String {
    let entry = lock.split("[[package]]").find(|e| e.contains(&format!("name = \"{package}\"\n"))).unwrap();
    let line = entry.lines().find(|l| l.starts_with("sha256")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

/// Where the store keeps the bytes of this digest.
pub fn objects(store: &Path, digest: &str) -> PathBuf {
    let found = Command::new("find").arg(store.join("objects")).args(["-type", "f"]).output().unwrap();
    let paths = String::from_utf8(found.stdout).unwrap();
    let fits = |path: &&str| path.ends_with(digest);
    PathBuf::from(paths.lines().find(fits).unwrap_or_else(|| panic!("{digest} is not in {}", store.display())))
}

/// Runs a build with a small file system at `place`, which only this run sees.
fn with_a_small_disk_at(place: &Path, megabytes: u32, bench: &Bench, args: &[&str]) -> Ran {
    fs::create_dir_all(place).unwrap();
    let script =
        r#"mount -t tmpfs -o "size=$1m" small "$2" && shift 2 && "$@"; code=$?; ls -A "$SMALL" >&3; exit $code"#;
    let listing = bench.folder.join("small.txt");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("exec 3>\"$LISTING\"; {script}"), "sh", &megabytes.to_string()]);
    command.arg(place).arg(program()).args(args).current_dir(checkout());
    command.env("BORG_STORE", &bench.store).env("SMALL", place).env("LISTING", &listing);
    let ran = Ran::new(&command.output().unwrap());
    // What there is on the small disk in the end: nothing that is half-made.
    let left = fs::read_to_string(&listing).unwrap();
    assert!(!left.contains("partial") || place == bench.store, "left behind: {left}");
    ran
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_full_disk_is_foreseen() {
    let bench = bench();
    let profile = bench.profile("full", &edge_iot("full", "hostname: full\n"));
    let path = profile.to_str().unwrap();
    bench.run(&["lock", "--profile", path]).exits(0);
    let out = bench.folder.join("out-small");
    let args = ["build", "--fast", "--profile", path, "--out", out.to_str().unwrap()];
    let ran = with_a_small_disk_at(&out, 60, &bench, &args).exits(3).says("but the ISO may need");
    assert!(ran.stderr.contains("MB are free at") && ran.stderr.contains("borg-compose clean"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("layer  "), "work began:\n{}", ran.stderr);

    let small = Bench { folder: bench.folder.clone(), store: bench.folder.join("store-small") };
    let args = ["build", "--fast", "--locked", "--profile", path, "--out", out.to_str().unwrap()];
    let ran = with_a_small_disk_at(&small.store, 60, &small, &args).exits(3);
    assert!(ran.says("but the store may need").stdout.is_empty());
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

/// A folder with the runtime's packages as the lock names them, one of them given a postinst.
pub fn runtime_with(bench: &Bench, lock: &str, package: &str, postinst: &str) -> PathBuf {
    let folder = bench.folder.join("runtime");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for entry in lock.split("[[package]]").filter(|e| e.contains("archive = \"runtime\"")) {
        let field = |name: &str| {
            let line = entry.lines().find(|l| l.starts_with(&format!("{name} = "))).unwrap();
            line.split('"').nth(1).unwrap().to_owned()
        };
        let deb = folder.join(format!("{}_{}_{}.deb", field("name"), field("version"), field("architecture")));
        fs::copy(objects(&bench.store, &locked(lock, &field("name"))), &deb).unwrap();
        if field("name") == package {
            let tree = bench.folder.join("runtime-tree");
            let _ = fs::remove_dir_all(&tree);
            assert!(Command::new("dpkg-deb").arg("-R").arg(&deb).arg(&tree).status().unwrap().success());
            fs::write(tree.join("DEBIAN/postinst"), postinst).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(tree.join("DEBIAN/postinst"), mode).unwrap();
            let packed = Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).arg(&tree).arg(&deb).output();
            assert!(packed.unwrap().status.success());
        }
    }
    folder
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_package_that_fails_is_named_with_its_last_words() {
    let bench = bench();
    let profile = bench.profile("failing", &edge_iot("failing", ""));
    let path = profile.to_str().unwrap();
    bench.run(&["lock", "--profile", path]).exits(0);
    let lock = fs::read_to_string(profile.with_extension("lock")).unwrap();
    let words = "the motor is on fire";
    // Run by root, it has a device file of its own to spoil.
    let host = fs::metadata("/dev/full").unwrap().mode();
    let postinst = format!("#!/bin/sh\nchmod 600 /dev/full\necho {words} >&2\nexit 3\n");
    let runtime = runtime_with(&bench, &lock, "borg-com-monitor", &postinst);
    let ran = build(&bench, &profile, &["--fast", "--runtime", runtime.to_str().unwrap()]).exits(6);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    assert_eq!(fs::metadata("/dev/full").unwrap().mode(), host);
    let ran = ran.says("borg-com-monitor").says(words).says("the full log is ");
    let log = ran.stderr.split("the full log is ").nth(1).unwrap().lines().next().unwrap();
    assert!(fs::read_to_string(log).unwrap().contains(words));
    assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0);
}

/// Words that would act if any shell, template or configuration file took them for more than words.
const HOSTILE: &str = "$(touch /x) `touch /x` ' \" ; touch /x # %n {{ 7*7 }} {% raw %} \\ \t\n&& || é";

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn words_stay_words_in_the_image() {
    let bench = bench();
    let content = serde_json_string(HOSTILE);
    let name = "a $(touch x) `id` '%n' {{ 7*7 }}";
    let more = format!("files:\n  - path: \"/srv/{name}\"\n    content: {content}\n");
    let profile = bench.profile("hostile", &edge_iot("hostile", &more));
    let ran = build(&bench, &profile, &["--fast"]).exits(0);
    assert_eq!(in_files_layer(&bench, ran.last_line(), &format!("srv/{name}")), HOSTILE);
    assert!(!Path::new("/x").exists() && !checkout().join("x").exists());
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_stale_lock_says_what_changed() {
    let bench = bench();
    let profile = bench.profile("stale", &edge_iot("stale", ""));
    bench.run(&["lock", "--profile", profile.to_str().unwrap()]).exits(0);
    let before = sha256(&profile.with_extension("lock"));
    bench.profile("stale", &edge_iot("stale", "packages: [jq]"));
    let ran = build(&bench, &profile, &["--locked"]).exits(1);
    let _ = ran.says("does not fit the profile").says("packages").says("borg-compose lock --profile");
    assert_eq!(sha256(&profile.with_extension("lock")), before);
}

/// A text as a double-quoted YAML (and JSON) string.
fn serde_json_string(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{escaped}\"")
}

/// A file's text in the image's topmost layer, read with the unsquashfs of the tools tree.
fn in_files_layer(bench: &Bench, iso: &str, path: &str) -> String {
    let manifest = fs::read_to_string(Path::new(iso).with_extension("manifest.json")).unwrap();
    let layers = manifest.split("\"layers\"").nth(1).unwrap().split(']').next().unwrap();
    let digest = layers.split("\"files\"").nth(1).unwrap().split("\"sha256\": \"").nth(1).unwrap();
    let layer = objects(&bench.store, digest.split('"').next().unwrap());
    let find = "find \"$1\" -path '*/usr/bin/unsquashfs' | head -n 1";
    let found = Command::new("sh").args(["-c", find, "sh"]).arg(bench.store.join("trees")).output().unwrap();
    let tool = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    let root = tool.strip_suffix("/usr/bin/unsquashfs").expect("the tools tree has unsquashfs");
    // The tool is dynamically linked to its own tree's libraries.
    let loader = format!("{root}/usr/lib64/ld-linux-x86-64.so.2");
    let library = format!("{root}/usr/lib/x86_64-linux-gnu");
    let mut command = Command::new(loader);
    command.args(["--library-path", &library, &tool, "-cat"]).arg(&layer).arg(path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
