//! Building the runtime crates with cargo.

#![allow(clippy::disallowed_types, reason = "starts cargo")]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::link;
use crate::interrupt::Registered;
use crate::progress::Progress;
use crate::workshop::bound;
use crate::{Error, Result};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// How the programs are compiled, of the workspace's Cargo.toml.
const PROFILE: &str = "runtime";
/// How much of cargo's output an error shows.
const TAIL: usize = 30;
/// How often a long build says what it is doing.
const NEWS: Duration = Duration::from_secs(15);

/// Builds `names` and gives the folder that holds the programs.
pub fn cargo(root: &Path, names: &[&str], sysroot: &Path, progress: &Progress, offline: bool) -> Result<PathBuf> {
    let target = target_folder(root);
    let sysroot = &link::place(sysroot, &target)?;
    let args = arguments(names, offline);
    let (program, bound) = bound::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let command = duct::cmd(program, bound.into_iter().chain(args.iter().map(OsString::from)))
        .dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(root, sysroot)?)
        .stdin_null()
        .stderr_to_stdout()
        // A group of its own, to be stopped with the compilers that it starts.
        .before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
    progress.say("runtime", &format!("building {}", names.join(", ")));
    follow(&command, progress).map_err(|tail| failed(&tail, &args))?;
    Ok(target.join(TARGET).join(PROFILE))
}

fn arguments<'n>(names: &[&'n str], offline: bool) -> Vec<&'n str> {
    let mut args = vec!["build", "--profile", PROFILE, "--locked", "--target", TARGET, "--color", "never"];
    args.extend(offline.then_some("--offline"));
    args.extend(names.iter().flat_map(|name| ["-p", name]));
    args
}

/// A target folder of its own: other flags in the same one would rebuild everything each time.
fn target_folder(root: &Path) -> PathBuf {
    let outer = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root.join(outer).join("runtime")
}

/// Takes the places of this machine and its C library out of the programs, so that two checkouts give the same bytes.
fn rust_flags(root: &Path, sysroot: &Path) -> Result<String> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let mut flags = vec![format!("--remap-path-prefix={}=/usr/src/borg-compose", root.display())];
    flags.extend(cargo.map(|path| format!("--remap-path-prefix={}=/usr/src/cargo", path.display())));
    flags.extend(link::flags(sysroot)?);
    Ok(flags.join("\x1f"))
}

type Lines = VecDeque<String>;

/// Runs to the end, telling now and then what is compiled, and keeps the last lines.
fn follow(command: &duct::Expression, progress: &Progress) -> std::result::Result<(), Lines> {
    let mut tail = Lines::new();
    let mut told = Instant::now();
    let Ok(reader) = command.reader() else { return Err(tail) };
    let _registered: Vec<Registered> = reader.pids().into_iter().map(Registered::group).collect();
    for line in BufReader::new(&reader).lines() {
        let Ok(line) = line else { return Err(tail) };
        if let Some(what) = line.trim_start().strip_prefix("Compiling ")
            && told.elapsed() > NEWS
        {
            told = Instant::now();
            progress.say("runtime", &format!("compiling {what}"));
        }
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    Ok(())
}

fn failed(tail: &Lines, args: &[&str]) -> Error {
    let text = Vec::from(tail.clone()).join("\n");
    if text.starts_with(bound::MISSING) {
        return Error::host("cannot build the runtime services: there is no cargo")
            .help("install Rust from https://rustup.rs, or give a folder of their .debs with --runtime");
    }
    if args.contains(&"--offline") && text.contains("--offline") {
        return Error::network("cannot build the runtime services offline: crates are missing")
            .detail(text)
            .help("build once without --offline, or give a folder of their .debs with --runtime");
    }
    if text.contains("linker `rust-lld` not found") {
        return Error::host("cannot build the runtime services: this Rust comes without its linker, rust-lld")
            .help("install Rust from https://rustup.rs, or give a folder of their .debs with --runtime");
    }
    let unreachable = ["failed to download", "Could not resolve", "spurious network error", "failed to fetch"];
    let make = if unreachable.iter().any(|mark| text.contains(mark)) { Error::network } else { Error::host };
    make("cannot build the runtime services").detail(text).help(format!("try `cargo {}` to see it all", args.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_shows_its_last_lines_and_the_command() {
        let script = "for n in $(seq 40); do echo line $n; done; echo 'error: no' >&2; exit 101";
        let command = duct::cmd!("sh", "-c", script).stderr_to_stdout();
        let tail = follow(&command, &Progress::silent()).unwrap_err();
        assert_eq!((tail.len(), tail.back().map(String::as_str)), (TAIL, Some("error: no")));
        let error = failed(&tail, &["build", "-p", "x"]);
        assert_eq!(error.to_string(), "cannot build the runtime services");
        assert!(error.causes()[0].ends_with("line 40\nerror: no"));
        assert_eq!(error.help_text(), Some("try `cargo build -p x` to see it all"));
    }

    #[test]
    fn offline_holds_for_cargo_too() {
        assert!(arguments(&["x"], true).contains(&"--offline"));
        assert!(!arguments(&["x"], false).contains(&"--offline"));
    }

    #[test]
    fn crates_that_are_missing_offline_are_no_riddle() {
        let said = ["error: no matching package named `x` found", "you may wish to retry without `--offline`."];
        let tail = Lines::from(said.map(str::to_owned));
        let error = failed(&tail, &["build", "--offline"]);
        assert_eq!(error.kind(), crate::Kind::Network);
        assert!(error.help_text().unwrap().contains("build once without --offline"));
    }

    #[test]
    fn a_missing_cargo_is_told_apart() {
        let tail = Lines::from([format!("{}cargo: No such file or directory", bound::MISSING)]);
        assert!(failed(&tail, &[]).to_string().ends_with("there is no cargo"));
    }
}
