//! The long form: bookworm, the live-build engine, and apt as the yardstick.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "long/apt.rs"]
mod apt;
#[path = "long/userland.rs"]
mod userland;

use borg_tests::real::{bench, boot, build, edge_iot};

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn bookworm_boots() {
    let bench = bench();
    let profile = bench.profile("bookworm", &edge_iot("bookworm", "suite: bookworm\n"));
    build(&bench, &profile, &["--fast"]).exits(0);
    boot(&bench, &profile, "bios", "cd", &[]);
    boot(&bench, &profile, "uefi-secure", "usb", &[]);
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn live_build_makes_the_same_packages_boot() {
    let bench = bench();
    let profile = bench.profile("edge-iot", &edge_iot("edge-iot", ""));
    let ran = build(&bench, &profile, &["--engine", "live-build", "--tag", "live-build"]).exits(0);
    assert!(ran.last_line().ends_with("live-build.iso"));
    boot(&bench, &profile, "bios", "cd", &["--tag", "live-build"]);
    boot(&bench, &profile, "uefi", "usb", &["--tag", "live-build"]);
}
