//! `boot`: the ISO in QEMU, for a person or for a verdict.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::args::{Boot, Global};
use crate::cli::build::{checked_tag, default_tag};
use crate::cli::project::{Project, open_store};
use crate::cli::workbench::{Supply, Workbench};
use crate::error::{IoContext, Result};
use crate::image::Manifest;
use crate::store::{Store, write_atomically};
use crate::{Error, boot, workshop};

/// The tools that booting takes.
pub const GROUPS: [&str; 2] = ["build", "boot"];

pub fn run(args: &Boot, global: &Global) -> Result<()> {
    let project = Project::open(&args.profile, global)?;
    workshop::ready()?;
    let store = open_store(global)?;
    let _using = store.lock_shared("in-use", &project.progress)?;
    let locked = crate::lock::file::read(&project.lock_path())?.ok_or_else(|| not_built(&project, "it has no lock"))?;
    let iso = iso(args, &project, locked.epoch)?;
    // Anything else would be taken for a disk that has nothing to boot.
    if !boot::is_iso(&iso)? {
        return Err(Error::input(format!("{} is not an ISO image", iso.display()))
            .help("give the path of one that `build` made"));
    }
    if args.check {
        is_of_this_profile(&iso, &project)?;
    }
    let sources = project.sources(global, false)?;
    let supply = Supply { archives: &project.spec().archives, sources: &sources, offline: false };
    let bench = Workbench::open(&GROUPS, &locked, supply, &store, &project.progress)?;
    let options = boot::Options {
        firmware: args.firmware,
        media: args.media,
        memory_mb: args.memory,
        check: args.check,
        timeout: Duration::from_secs(args.timeout),
        credentials: credentials(&project)?,
        screenshot: args.screenshot.clone(),
        forward: args.forward.clone(),
        disk: args.disk.clone(),
        serial: args.serial.clone(),
        ..boot::Options::new(iso)
    };
    if args.check {
        check(args, &options, &project, &bench, &store)
    } else {
        boot::interactive(&options, &bench.tools()?.root, &store, &project.progress)
    }
}

fn check(args: &Boot, options: &boot::Options, project: &Project, bench: &Workbench<'_>, store: &Store) -> Result<()> {
    let verdict = boot::check(options, project.spec(), &bench.tools()?.root, store, &project.progress)?;
    for case in &verdict.cases {
        let word = if case.ok { "ok" } else { "FAILED" };
        project.progress.say("check", &format!("{word:<6} {} ({:.1} s) {}", case.name, case.seconds, case.detail));
    }
    let (ok, failures, log) = (verdict.ok, verdict.failures.clone(), verdict.console_log.clone());
    if let Some(path) = &args.junit {
        write_atomically(path, boot::junit::render(&[(options.label(), verdict)])?.as_bytes())?;
    }
    if ok {
        project.progress.say("boot", &format!("{}: ok", options.label()));
        return Ok(());
    }
    let error = Error::boot(format!("the boot check failed as {}", options.label()));
    let error = failures.into_iter().fold(error, Error::detail);
    Err(error.help(format!("the console's log is {}", log.display())))
}

/// The ISO that is asked for, or the one that `build` makes of this profile.
fn iso(args: &Boot, project: &Project, epoch: u64) -> Result<PathBuf> {
    if let Some(iso) = &args.iso {
        return if iso.is_file() {
            Ok(iso.clone())
        } else {
            Err(Error::input(format!("{} is not a file", iso.display())).help("give the ISO's path"))
        };
    }
    let given = args.tag.clone().or_else(|| project.loaded.profile.image.as_ref().and_then(|i| i.tag.clone()));
    let tag = match given {
        Some(tag) => checked_tag(tag)?,
        None => default_tag(&project.spec().profile, epoch),
    };
    let path = args.out.join(format!("{tag}.iso"));
    if path.is_file() { Ok(path) } else { Err(not_built(project, &format!("{} does not exist", path.display()))) }
}

/// The verdict is about what the profile declares, so the image has to be made from the profile as it is now.
fn is_of_this_profile(iso: &Path, project: &Project) -> Result<()> {
    let path = iso.with_extension("manifest.json");
    let stale = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => format!("{} is missing", path.display()),
        read => match serde_json::from_slice::<Manifest>(&read.at("read", &path)?) {
            Ok(manifest) if manifest.spec == project.spec().digest() => return Ok(()),
            Ok(_) => "the profile has changed since".to_owned(),
            Err(e) => format!("{} cannot be read: {e}", path.display()),
        },
    };
    Err(Error::input(format!("{} cannot be judged by this profile: {stale}", iso.display()))
        .help(format!("run `borg-compose build --profile {}` first", project.path.display())))
}

fn not_built(project: &Project, why: &str) -> Error {
    let name = &project.spec().profile;
    Error::input(format!("the profile {name} is not built: {why}"))
        .help(format!("run `borg-compose build --profile {}`", project.path.display()))
}

/// Password hashes that the profile keeps in files go to the machine as systemd credentials, never into the image.
fn credentials(project: &Project) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = project.path.parent().unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for user in &project.loaded.profile.users {
        let Some(file) = &user.password_hash_file else { continue };
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).at("read", &path)?;
        found.push((format!("passwd.hashed-password.{}", user.name), text.trim().as_bytes().to_vec()));
    }
    Ok(found)
}
