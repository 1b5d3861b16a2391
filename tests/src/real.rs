//! Building and booting for real.

#![allow(clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::{Bench, Ran, checkout};

/// One place for all: downloads and tools are shared, and tests of this file run one after the other.
pub fn bench() -> Bench {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), PathBuf::from);
    Bench::new(&target.join("real"))
}

pub fn edge_iot(name: &str, more: &str) -> String {
    let text = fs::read_to_string(checkout().join("profiles/edge-iot.yaml")).unwrap();
    format!("{}\n{more}", text.replace("profile: edge-iot", &format!("profile: {name}")))
}

pub fn build(bench: &Bench, profile: &Path, more: &[&str]) -> Ran {
    let out = bench.folder.join("out");
    let mut args = vec!["build", "--profile", profile.to_str().unwrap(), "--out", out.to_str().unwrap()];
    args.extend(more);
    let start = Instant::now();
    let ran = bench.run(&args);
    eprintln!("{:.1} s: build {} {}", start.elapsed().as_secs_f64(), profile.display(), more.join(" "));
    ran
}

pub fn boot(bench: &Bench, profile: &Path, firmware: &str, media: &str, more: &[&str]) {
    let junit = bench.folder.join(format!("{firmware}-{media}.xml"));
    let out = bench.folder.join("out");
    let mut args = vec!["boot", "--profile", profile.to_str().unwrap(), "--out", out.to_str().unwrap(), "--check"];
    args.extend(["--firmware", firmware, "--media", media, "--timeout", "400", "--junit", junit.to_str().unwrap()]);
    args.extend(more);
    let start = Instant::now();
    let ran = bench.run(&args).exits(0);
    eprintln!("{:.1} s: boot {firmware} {media}", start.elapsed().as_secs_f64());
    assert!(ran.stderr.contains(": ok"), "{}", ran.stderr);
    let report = fs::read_to_string(&junit).unwrap();
    assert!(report.contains("<testcase") && report.contains("failures=\"0\""), "{report}");
}
