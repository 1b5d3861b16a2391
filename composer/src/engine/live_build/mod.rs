//! The yardstick: Debian's live-build makes an image from the rendered tree, inside a worker without a network.
//!
//! Its packages come from a local archive made of the store. That archive cannot have Debian's signatures, so they are not
//! asked for; what it serves is named by the hashes of the lock, whose archives were verified when it was made.

#![allow(clippy::disallowed_methods, reason = "an edge: lays out a tree for lb build and takes what it made")]

pub mod archive;
mod job;
pub mod server;
mod status;
mod traces;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::boot::loopback;
use crate::engine::limit;
use crate::engine::native::pack;
use crate::error::{Error, IoContext, Result};
use crate::lock::types::Output;
use crate::store::Store;
use crate::workshop::{self, Run, Voice};
use crate::{Digest, Kind};

pub use job::{Deb, Installed, LiveBuildJob, LiveBuilt, Place, debs, places};
pub use status::differences;

/// Where live-build works.
const FOLDER: &str = "/work/lb";
/// Programs that Debian makes by `update-alternatives`, which unpacking alone does not run.
const ALTERNATIVES: [(&str, &str); 1] = [("awk", "/usr/bin/mawk")];
const PROGRAMS: &str = "/work/programs";

/// apt takes the unsigned archive by options on its command line, because a file could stay in the image. An extra
/// repository that is asked for over https is not reached, which apt forgives; its packages are in the archive too.
const APT_OPTIONS: &str = "--yes -o Acquire::AllowInsecureRepositories=true -o APT::Get::AllowUnauthenticated=true \
                           -o Acquire::https::Proxy=http://127.0.0.1:1";

/// Builds the image and says how long `lb build` took.
pub fn build(job: &LiveBuildJob, store: &Store) -> Result<LiveBuilt> {
    prepare(job)?;
    loopback::up()?;
    let proxy = server::start(archive::build(&job.archives, &job.debs, store, job.epoch)?)?;
    let lb = |verb: &str| in_folder(job).arg("lb").arg(verb);
    let unsigned = ["--apt-secure", "false", "--apt-options", APT_OPTIONS, "--apt-http-proxy", proxy.as_str()];
    lb("config").args(&job.options).args(unsigned).run()?;
    Voice.say("lb", "lb build");
    let start = Instant::now();
    lb("build").run()?;
    Voice.say("lb", &format!("lb build took {:.0} s", start.elapsed().as_secs_f64()));
    finish(job)
}

/// Writes the tree, and what live-build expects of the system that it runs on.
fn prepare(job: &LiveBuildJob) -> Result<()> {
    pack::write_tree(&job.tree, Path::new(FOLDER), job.epoch)?;
    let dpkg = Path::new("/var/lib/dpkg");
    fs::create_dir_all(dpkg).at("create", dpkg)?;
    let known = dpkg.join("status");
    fs::write(&known, status::write(&job.tools)).at("write", &known)?;
    fs::create_dir_all(PROGRAMS).at("create", Path::new(PROGRAMS))?;
    for (name, target) in ALTERNATIVES {
        let link = Path::new(PROGRAMS).join(name);
        symlink(target, &link).at("link", &link)?;
    }
    Ok(())
}

/// A program that runs in live-build's folder.
fn in_folder(job: &LiveBuildJob) -> Run {
    Run::new("env")
        .args(["-C", FOLDER])
        .env("PATH", format!("{PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin"))
        .env("SOURCE_DATE_EPOCH", job.epoch.to_string())
        .log(&job.log)
        .failing_as(Kind::Package)
}

fn finish(job: &LiveBuildJob) -> Result<LiveBuilt> {
    let folder = Path::new(FOLDER);
    // The image's root: live-build puts the plain base system in its place for the last steps, and keeps the list of files.
    let live = folder.join("binary/live");
    let root = unsquashed(&live.join("filesystem.squashfs"), job)?;
    traces::refuse(&root)?;
    let known = root.join("var/lib/dpkg/status");
    let text = fs::read_to_string(&known).at("read", &known)?;
    let kernel = one(&live, |name| name.starts_with("vmlinuz-"))?;
    let version = kernel.file_name().and_then(|n| n.to_str()?.strip_prefix("vmlinuz-")).unwrap_or_default().to_owned();
    let iso = one(folder, |name| Path::new(name).extension().is_some_and(|e| e == "iso"))?;
    Ok(LiveBuilt {
        iso: publish(&iso, job)?,
        squashfs: output(&live.join("filesystem.squashfs"))?,
        kernel: output(&kernel)?.sha256,
        initrd: output(&live.join(format!("initrd.img-{version}")))?.sha256,
        version,
        packages: status::installed(&text),
    })
}

/// What is judged is what is in the image, not what live-build worked on.
fn unsquashed(squashfs: &Path, job: &LiveBuildJob) -> Result<PathBuf> {
    let root = Path::new(workshop::WORK).join("judged");
    let run = Run::new("unsquashfs").args(["-no-progress", "-d"]).arg(&root).arg(squashfs);
    run.args(["etc/apt", "var/lib/dpkg/status"]).log(&job.log).run()?;
    Ok(root)
}

fn publish(iso: &Path, job: &LiveBuildJob) -> Result<Output> {
    let size = fs::metadata(iso).at("read", iso)?.len();
    limit::check(size, job.size_limit, &job.largest)?;
    fs::copy(iso, &job.out).at("write", &job.out)?;
    fs::File::open(&job.out).and_then(|file| file.sync_all()).at("write", &job.out)?;
    output(&job.out)
}

fn output(path: &Path) -> Result<Output> {
    let file = fs::File::open(path).at("open", path)?;
    let size = file.metadata().at("read", path)?.len();
    Ok(Output { sha256: Digest::of_reader(file).at("read", path)?, size })
}

/// The only file of that kind.
fn one(folder: &Path, is_it: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).at("read", folder)? {
        let entry = entry.at("read", folder)?;
        if entry.file_name().to_str().is_some_and(&is_it) {
            found.push(entry.path());
        }
    }
    match found.as_slice() {
        [path] => Ok(path.clone()),
        all => Err(Error::internal(format!(
            "live-build left {} files in {} where one was expected",
            all.len(),
            folder.display()
        ))),
    }
}
