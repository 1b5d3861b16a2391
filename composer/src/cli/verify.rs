//! `verify`: the lock built a second time, from packages alone and under other circumstances, must give the same bytes.

#![allow(clippy::disallowed_types, reason = "starts this program a second time")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use serde_json::Value;

use crate::archive;
use crate::cli::args::{Global, OverrideArgs, ProfileArg, Verify};
use crate::cli::project::{Project, open_store};
use crate::cli::workbench::{Log, Supply, Workbench, tools_of};
use crate::cli::worker::Job;
use crate::cli::{lock, many};
use crate::engine::compare::{CompareJob, Difference};
use crate::error::{IoContext, Result};
use crate::image::Manifest;
use crate::lock::Lock;
use crate::lock::types::{LayerOutput, LockedPackage};
use crate::store::Store;
use crate::workshop::{self, bound};
use crate::{Digest, Error, Kind};

/// The tools that the second build needs, and those for another clock.
pub const GROUPS: [&str; 2] = ["build", "verify"];

/// The groups that are in the lock and can be had.
fn groups(locked: &Lock, offline: bool, store: &Store) -> &'static [&'static str] {
    let clock = tools_of(locked, &GROUPS[1..]);
    let there = !clock.is_empty() && (!offline || clock.iter().all(|tool| store.contains(&tool.sha256)));
    if there { &GROUPS } else { &GROUPS[..1] }
}

/// What the second build is told of its surroundings. None of it may matter.
const CIRCUMSTANCES: [(&str, &str); 5] = [
    ("TZ", "Pacific/Chatham"),
    ("LANG", "tr_TR.UTF-8"),
    ("LC_ALL", "tr_TR.UTF-8"),
    ("SOURCE_DATE_EPOCH", "1"),
    ("HOME", "/nonexistent"),
];

pub fn run(args: &Verify, global: &Global) -> Result<()> {
    many::each(&args.profiles, global, |profile| one(profile, args, global))
}

fn one(profile: &ProfileArg, args: &Verify, global: &Global) -> Result<()> {
    let project = Project::open(profile, global)?;
    workshop::ready()?;
    let store = open_store(global)?;
    let _using = store.lock_shared("in-use", &project.progress)?;
    let locked = locked(&project)?;
    lock::not_too_early(&locked)?;
    let sources = project.sources(global, args.offline)?;
    let supply = Supply { archives: &project.spec().archives, sources: &sources, offline: args.offline };
    let groups = groups(&locked, args.offline, &store);
    let bench = Workbench::open(&GROUPS[..1], &locked, supply, &store, &project.progress)?;
    let packages: Vec<&LockedPackage> = locked.packages.iter().chain(tools_of(&locked, &groups[1..])).collect();
    archive::fetch(&packages, supply.archives, &sources, &store, &project.progress, args.offline)?;
    let again = Again::new(&project, &locked, groups, &store)?;
    let status = again.build(&profile.overrides, global, &project)?;
    match status {
        0 => {
            let iso = locked.outputs.as_ref().map(|o| o.iso.sha256.to_string()).unwrap_or_default();
            project.progress.say("verify", &format!("the same bytes again: sha256 {iso}"));
            Ok(())
        }
        code if code == Kind::Differs.exit_code() => Err(again.explain(&locked, &bench, &store)?),
        code => Err(Error::new(Kind::from_exit_code(code), "the second build failed").help("its own words are above")),
    }
}

fn locked(project: &Project) -> Result<Lock> {
    let found = crate::lock::file::read(&project.lock_path())?.filter(|lock| lock.outputs.is_some());
    found.ok_or_else(|| {
        Error::input(format!("{} names no outputs to compare with", project.lock_path().display()))
            .help(format!("run `borg-compose build --profile {}` first", project.path.display()))
    })
}

/// The second build: a store of its own that has packages and tools, and nothing that was made of them.
struct Again {
    folder: tempfile::TempDir,
    store: Store,
    profile: PathBuf,
    other_clock: bool,
}

impl Again {
    fn new(project: &Project, locked: &Lock, groups: &[&str], store: &Store) -> Result<Self> {
        let folder = store.temporary_folder()?;
        let fresh = Store::open(&folder.path().join("another-store"))?;
        for package in locked.packages.iter().chain(tools_of(locked, groups)) {
            store.lend(&package.sha256, &fresh)?;
        }
        let profile = project.path.canonicalize().at("open", &project.path)?;
        Ok(Again { folder, store: fresh, profile, other_clock: groups.contains(&GROUPS[1]) })
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Builds in a process of its own; answers with its exit status.
    fn build(&self, overrides: &OverrideArgs, global: &Global, project: &Project) -> Result<u8> {
        project.progress.say(
            "verify",
            "building again: empty layer store, one processor, plain kernel modules, other clock, time zone, locale and umask",
        );
        if !self.other_clock {
            let how = "`lock` names it, and a run without --offline fetches it";
            project.progress.say("verify", &format!("the clock stays: there is no libfaketime; {how}"));
        }
        let (program, bound) = bound::command("/proc/self/exe");
        let mut command = Command::new(program);
        command.args(bound).process_group(0).args([
            "build",
            "--locked",
            "--offline",
            "--scratch",
            "disk",
            "--log-format",
            "json",
            "--tag",
            "verify",
            "--plain-modules",
        ]);
        command.args(self.other_clock.then_some("--other-clock"));
        command.arg("--profile").arg(&self.profile).arg("--out").arg(self.out()).arg("--store").arg(self.store.root());
        command.args(overrides.offline_model.iter().flat_map(|model| ["--offline-model", model]));
        command.args(
            overrides.offline_only.iter().flat_map(|only| ["--offline-only", if *only { "true" } else { "false" }]),
        );
        // It has all packages already; but a profile from a vendor archive is read as one.
        command.args(global.vendor.iter().flat_map(|place| [OsStr::new("--vendor"), place.as_os_str()]));
        // What was set for this run must not reach the other.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BORG_")) {
            command.env_remove(name);
        }
        command.envs(CIRCUMSTANCES).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child =
            elsewhere(|| command.spawn()).map_err(|e| Error::internal("cannot start a second build").because(&e))?;
        let _registered = crate::interrupt::Registered::group(child.id());
        let stderr = child.stderr.take();
        for line in stderr.into_iter().flat_map(|s| BufReader::new(s).lines()).map_while(std::io::Result::ok) {
            relay(&line, project);
        }
        let status = child.wait().map_err(|e| Error::internal("lost the second build").because(&e))?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(Kind::Interrupted.exit_code()))
    }

    /// What differs: the layer, the files and their packages.
    fn explain(&self, locked: &Lock, bench: &Workbench<'_>, store: &Store) -> Result<Error> {
        let path = self.out().join("verify.manifest.json");
        let text = std::fs::read(&path).at("read", &path)?;
        let made: Manifest =
            serde_json::from_slice(&text).map_err(|e| Error::internal("the manifest cannot be read").because(&e))?;
        let mut error = Error::differs("building the lock again gave other bytes");
        let Some(expected) = &locked.outputs else { return Ok(error) };
        let log = Log::new("verify", store)?;
        for (i, (before, after)) in expected.layers.iter().zip(&made.layers).enumerate() {
            if before.sha256 == after.sha256 {
                continue;
            }
            let below: Vec<&LayerOutput> = made.layers.iter().take(i).collect();
            for line in self.layer(before, after, &below, bench, store, &log)? {
                error = error.detail(line);
            }
        }
        for (what, before, after) in [
            ("kernel", expected.kernel, made.kernel.sha256),
            ("initrd", expected.initrd, made.initrd.sha256),
            ("iso", expected.iso.sha256, made.iso.sha256),
        ] {
            if before != after {
                error = error.detail(format!("{what}: {} became {}", before.short(), after.short()));
            }
        }
        Ok(error.help("the package or file named first is where to look: a random number, a time, an order"))
    }

    fn layer(
        &self,
        before: &LayerOutput,
        after: &LayerOutput,
        below: &[&LayerOutput],
        bench: &Workbench<'_>,
        store: &Store,
        log: &Log,
    ) -> Result<Vec<String>> {
        let name = &before.name;
        if !store.contains(&before.sha256) {
            return Ok(vec![format!("layer {name}: the locked one is no longer in the store to compare with")]);
        }
        let needed = || below.iter().chain([&after]).map(|layer| layer.sha256);
        let new: Vec<Digest> = needed().filter(|layer| !store.contains(layer)).collect();
        needed().try_for_each(|layer| self.store.lend(&layer, store))?;
        let job = CompareJob {
            before: before.sha256,
            after: after.sha256,
            below: below.iter().map(|l| l.sha256).collect(),
            log: log.inside.clone(),
        };
        let layers = below.iter().copied().chain([before, after]);
        let room = room(layers.map(|layer| layer.size));
        let found: Result<Vec<Difference>> = bench.run(&Job::Compare(job), room, Vec::new());
        new.iter().try_for_each(|layer| store.discard(layer))?;
        let found = found?;
        if found.is_empty() {
            return Ok(vec![format!("layer {name}: the same files, packed in another way")]);
        }
        Ok(found.iter().map(|difference| line(name, difference)).collect())
    }
}

/// Bytes that layers of these sizes may take unpacked. Of those below only what dpkg knows is unpacked, of which each small file
/// takes a page.
fn room(sizes: impl Iterator<Item = u64>) -> u64 {
    10 * sizes.sum::<u64>() + (64 << 20)
}

fn line(layer: &str, difference: &Difference) -> String {
    let owner = difference.package.as_ref().map_or_else(|| "no package's".to_owned(), |name| format!("package {name}"));
    format!("layer {layer}: {} ({owner}): {}", difference.path, difference.what.join(", "))
}

/// Starts something with one processor and an unusual umask, and puts this process back as it was.
fn elsewhere<T>(start: impl FnOnce() -> T) -> T {
    let mine = Pid::from_raw(0);
    let all = sched_getaffinity(mine).ok();
    let one = all.as_ref().and_then(|all| {
        let last = (0..CpuSet::count()).rev().find(|cpu| all.is_set(*cpu).unwrap_or(false))?;
        let mut one = CpuSet::new();
        one.set(last).ok()?;
        Some(one)
    });
    if let Some(one) = one {
        // A host that forbids it only makes this one circumstance the same.
        let _ = sched_setaffinity(mine, &one);
    }
    let before = umask(Mode::from_bits_truncate(0o077));
    let started = start();
    umask(before);
    if let Some(all) = all {
        let _ = sched_setaffinity(mine, &all);
    }
    started
}

/// Passes on what the second build says; the error that the results differ is told better here.
fn relay(line: &str, project: &Project) {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| event.get(key).and_then(Value::as_u64).unwrap_or_default();
    match (text("event"), event.get("exit").and_then(Value::as_u64)) {
        ("error", Some(code)) if code == u64::from(Kind::Differs.exit_code()) => {}
        ("error", _) => {
            project.progress.say("error", text("text"));
            let causes = event.get("causes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            for line in causes.flat_map(str::lines) {
                project.progress.say("because", line);
            }
            project.progress.say("help", text("help"));
        }
        ("progress", _) => project.progress.amount(text("what"), number("done"), number("total"), None),
        ("", _) => {}
        (what, _) => project.progress.say(what, text("text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_layer_on_large_ones_has_room_for_what_dpkg_knows_of_those() {
        assert!(room([203 << 20, 18 << 20, 8192, 8192].into_iter()) > 500 << 20);
        assert!(room([8192, 8192].into_iter()) > 10 << 20);
    }
}
