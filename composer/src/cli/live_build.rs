//! `build --engine live-build`: what its worker is asked for, and judging what came back.

use std::path::PathBuf;

use crate::archive::pin::TOOLS_ARCHIVE;
use crate::cli::workbench::tools_of;
use crate::engine::live_build::{Installed, LiveBuildJob, LiveBuilt, debs, differences, places};
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::lock::types::{LayerOutput, Outputs};
use crate::spec::ImageSpec;
use crate::tree::Tree;
use crate::workshop::rootless;

/// The tools that live-build runs with; those of its own group come last and build on the others.
pub const GROUPS: [&str; 3] = ["build", "boot", "live-build"];

/// The squashfs options of `--fast`.
const FAST: [&str; 4] = ["--chroot-squashfs-compression-type", "zstd", "--chroot-squashfs-compression-level", "3"];

/// live-build installs tools into its chroot for a while, and those of the lock fit one suite only.
pub fn fits(lock: &Lock) -> Result<()> {
    if rootless::needed() || rootless::inside() {
        // debootstrap makes device nodes.
        return Err(Error::host("the live-build engine needs root, and that outside of any user namespace")
            .help("run with sudo, or build with --engine native"));
    }
    if lock.tools.iter().all(|tool| tool.archive != TOOLS_ARCHIVE) {
        return Ok(());
    }
    Err(Error::input("the live-build engine makes images of trixie only")
        .help("build this profile with --engine native"))
}

/// The worker's job; `log` and `out` are paths inside the worker.
pub fn job(spec: &ImageSpec, lock: &Lock, tree: Tree, fast: bool, log: PathBuf, out: PathBuf) -> LiveBuildJob {
    LiveBuildJob {
        epoch: lock.epoch,
        log,
        tree,
        options: if fast { FAST.map(str::to_owned).to_vec() } else { Vec::new() },
        archives: places(&spec.archives),
        debs: debs(&lock.packages, &lock.tools),
        tools: tools_of(lock, &GROUPS).into_iter().map(Installed::of).collect(),
        size_limit: spec.image.size_limit,
        largest: lock.largest(),
        out,
    }
}

/// Fails unless the image has the lock's packages and versions, all of them and no others.
pub fn same_packages(lock: &Lock, built: &LiveBuilt) -> Result<()> {
    let locked: Vec<Installed> = lock.packages.iter().map(Installed::of).collect();
    let differing = differences(&locked, &built.packages);
    if differing.is_empty() {
        return Ok(());
    }
    let error = Error::differs("live-build installed other packages than the lock names");
    Err(differing.into_iter().fold(error, Error::detail))
}

/// What came out, in the lock's form: one layer, because live-build knows no others.
pub fn outputs(built: &LiveBuilt) -> Outputs {
    let layer = LayerOutput {
        name: "filesystem".into(),
        sha256: built.squashfs.sha256,
        size: built.squashfs.size,
        key: None,
        record: None,
    };
    Outputs { iso: built.iso.clone(), kernel: built.kernel, initrd: built.initrd, boot: None, layers: vec![layer] }
}
