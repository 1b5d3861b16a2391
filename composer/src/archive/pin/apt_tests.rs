//! The solver beside apt's own: both are given the same archives, an empty system and the same wishes.

use std::path::Path;
use std::process::Command;

use super::tests::{BASE, debian, names, now};
use super::*;
use crate::archive::Sources;
use crate::profile::types::Suite;
use crate::progress::Progress;

/// Where the host's apt has Debian's keys.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The host's apt with `root` in place of the host.
fn apt_get(root: &Path, args: &[&str]) -> String {
    let mut command = Command::new("apt-get");
    let status = format!("Dir::State::status={}", root.join("status").display());
    let options = [
        &format!("Dir={}/", root.display()),
        &status,
        "APT::Architecture=amd64",
        "APT::Architectures=amd64",
        "APT::Sandbox::User=root",
        "APT::Install-Recommends=false",
        "Acquire::Languages=none",
    ];
    command.args(options.into_iter().flat_map(|option| ["-o", option])).args(args).env("LC_ALL", "C.UTF-8");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// An empty system whose apt knows the archives of `spec`.
fn system(root: &Path, spec: &ImageSpec, sources: &Sources) {
    for folder in ["etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("status"), "").unwrap();
    let line = |archive: &ArchiveSpec| {
        let mirror = sources.mirrors(archive).swap_remove(0);
        format!("deb [signed-by={KEYS}] {mirror} {} {}\n", archive.suite, archive.components.join(" "))
    };
    std::fs::write(root.join("etc/apt/sources.list"), spec.archives.iter().map(line).collect::<String>()).unwrap();
    apt_get(root, &["update", "--error-on=any"]);
}

/// What apt would install: `name version`, sorted.
fn chosen_by_apt(root: &Path, spec: &ImageSpec) -> Vec<String> {
    let merged = (spec.suite == Suite::Bookworm).then_some("usr-is-merged");
    let mut args = vec!["-s", "install", "?essential", "?priority(required)", "apt"];
    args.extend(merged.into_iter().chain(spec.base_packages.iter().chain(&spec.packages).map(|w| w.name.as_str())));
    let said = apt_get(root, &args);
    // `Inst NAME (VERSION SUITE [ARCHITECTURE])`
    let one = |line: &str| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
        Some(format!("{name} {}", rest.split(' ').next()?))
    };
    let mut chosen: Vec<String> = said.lines().filter_map(one).collect();
    chosen.sort();
    chosen
}

#[test]
#[ignore = "asks Debian's mirrors"]
fn debian_is_solved_as_apt_solves_it() {
    let sets: [&[&str]; 4] = [
        &["nginx-light", "openssh-server", "iproute2"],
        &["docker.io", "python3-requests", "chrony"],
        &["postgresql", "default-mta", "cron"],
        &["network-manager", "cups", "default-jre-headless"],
    ];
    let sources = Sources::of_host(&[]);
    for suite in [Suite::Trixie, Suite::Bookworm] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let root = folder.path().join("root");
        system(&root, &debian(suite, &BASE, &[]), &sources);
        for packages in sets {
            let spec = debian(suite, &BASE, packages);
            let edges = Edges { sources: &sources, store: &store, progress: &Progress::silent(), now: now() };
            let request =
                Request { spec: &spec, prior: None, update: &Update::Keep, runtime: &[], sysroot: &[], epoch: None };
            let lock = resolve(&request, load(&spec, edges).unwrap(), &store).unwrap();
            let (mut ours, theirs) = (names(&lock), chosen_by_apt(&root, &spec));
            ours.sort();
            let only = |one: &[String], other: &[String]| -> Vec<String> {
                one.iter().filter(|p| !other.contains(p)).cloned().collect()
            };
            let differences = (only(&ours, &theirs), only(&theirs, &ours));
            assert_eq!(differences, (vec![], vec![]), "{suite:?} {packages:?}: only ours, only apt's");
        }
    }
}
