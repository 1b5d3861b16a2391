//! Ctrl-C and SIGTERM, wherever they come: the run ends at once, says so, and leaves nothing running.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use borg_tests::{Bench, Ran};

const SMALL: &str = "profile: small\n";

/// How long an end may take that the user asked for.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Runs it, sends the signal once `ready` says so, and answers with how it ended and how long that took.
fn interrupted(mut command: Command, signal: &str, bench: &Bench, ready: impl Fn(&str) -> bool) -> Ran {
    let stderr = bench.folder.join("stderr");
    let mut child =
        command.stdin(std::process::Stdio::null()).stderr(fs::File::create(&stderr).unwrap()).spawn().unwrap();
    let said = || fs::read_to_string(&stderr).unwrap();
    wait_until(|| ready(&said()), said);
    let start = Instant::now();
    kill(signal, child.id());
    let status = child.wait().unwrap();
    assert!(start.elapsed() < AT_ONCE, "it took {:?}: {}", start.elapsed(), said());
    Ran { code: status.code(), stdout: String::new(), stderr: said() }
}

fn wait_until(ready: impl Fn() -> bool, said: impl Fn() -> String) {
    let end = Instant::now() + Duration::from_mins(1);
    while !ready() {
        assert!(Instant::now() < end, "{}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap().success());
}

fn bench() -> (tempfile::TempDir, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(folder.path());
    (folder, bench)
}

fn says_so(ran: Ran) {
    let ran = ran.exits(130).says("error: interrupted; nothing half-made was kept");
    assert_eq!(ran.stderr.matches("interrupted").count(), 1, "{}", ran.stderr);
}

/// A folder with a package that stands for the runtime's.
fn runtime(folder: &Path) -> PathBuf {
    let (tree, to) = (folder.join("tree"), folder.join("runtime"));
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(&to).unwrap();
    let control = "Package: borg-boot-check\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@y>\nDescription: x\n";
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let made = Command::new("dpkg-deb").arg("--build").args([&tree, &to]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    to
}

/// A mirror that sends the head of an answer and then a byte every few seconds.
fn drips() -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/debian", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || drip(&stream, &seen));
        }
    });
    (address, asked)
}

fn drip(mut stream: &TcpStream, seen: &AtomicBool) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n-")?;
    seen.store(true, Ordering::SeqCst);
    loop {
        std::thread::sleep(Duration::from_secs(5));
        stream.write_all(b"-")?;
    }
}

#[test]
fn a_download_from_a_slow_mirror_ends_at_once() {
    let (folder, bench) = bench();
    let (address, asked) = drips();
    let profile = bench.profile("small", &format!("{SMALL}mirrors: [\"{address}\"]\n"));
    let runtime = runtime(folder.path());
    let args = ["--runtime", runtime.to_str().unwrap(), "lock", "--profile", profile.to_str().unwrap()];
    for signal in ["INT", "TERM"] {
        asked.store(false, Ordering::SeqCst);
        says_so(interrupted(bench.command(&args), signal, &bench, |_| asked.load(Ordering::SeqCst)));
    }
    assert!(!profile.with_extension("lock").exists());
    assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0);
}

/// A lock whose runtime package is looked for before anything else.
fn lock_with_a_runtime_package() -> String {
    let digest = "0".repeat(64);
    let package = |table: &str, more: &str| {
        format!(
            "[[{table}]]\nname = \"x\"\nversion = \"1\"\narchitecture = \"all\"\nfilename = \"x.deb\"\nsize = 100000\n\
             sha256 = \"{digest}\"\n{more}\n"
        )
    };
    let essential = package("package", "layer = \"essential\"\narchive = \"debian\"");
    let own = package("package", "layer = \"packages\"\narchive = \"runtime\"");
    let tool = package("tool", "group = \"build\"\narchive = \"debian\"");
    format!("format = 1\nspec = \"{digest}\"\nepoch = 1\n[parts]\n{essential}{own}{tool}")
}

#[test]
fn a_pull_from_a_slow_shared_store_ends_at_once() {
    let (folder, bench) = bench();
    let (address, asked) = drips();
    let profile = bench.profile("small", SMALL);
    fs::write(profile.with_extension("lock"), lock_with_a_runtime_package()).unwrap();
    let runtime = runtime(folder.path());
    let args = ["--runtime", runtime.to_str().unwrap(), "--store", &address, "lock", "--profile"];
    for signal in ["INT", "TERM"] {
        asked.store(false, Ordering::SeqCst);
        let command = bench.command(&[&args[..], &[profile.to_str().unwrap()]].concat());
        says_so(interrupted(command, signal, &bench, |_| asked.load(Ordering::SeqCst)));
    }
    assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0);
}

#[test]
fn waiting_for_another_build_is_said_and_ends_at_once() {
    let (_folder, bench) = bench();
    let profile = bench.profile("small", SMALL);
    let locks = bench.store.join("locks");
    // Opened once, it is a store.
    fs::create_dir_all(&bench.store).unwrap();
    bench.run(&["clean", "--all", "--dry-run"]).exits(0);
    let mut other =
        Command::new("flock").arg("--no-fork").arg(locks.join("build-small")).args(["sleep", "60"]).spawn().unwrap();
    let taken =
        || !Command::new("flock").arg("-n").arg(locks.join("build-small")).arg("true").status().unwrap().success();
    wait_until(taken, String::new);
    let command = bench.command(&["build", "--offline", "--profile", profile.to_str().unwrap()]);
    let line = "  waiting  for another run with this profile\n";
    let ran = interrupted(command, "INT", &bench, |said| said.contains(line));
    assert_eq!(ran.stderr.matches(line).count(), 1);
    says_so(ran);
    other.kill().unwrap();
    other.wait().unwrap();
}

/// A cargo that is replaced by a script.
fn with_cargo(script: &str, args: &[&str], bench: &Bench) -> Command {
    let cargo = bench.folder.join("cargo");
    fs::write(&cargo, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = bench.command(args);
    command.env("CARGO", &cargo).env("NOTE", bench.folder.join("note"));
    command
}

#[test]
fn cargo_ends_with_a_run_that_is_killed() {
    let (_folder, bench) = bench();
    let profile = bench.profile("small", SMALL);
    let note = bench.folder.join("note");
    let script = "sleep 60 & echo $! > $NOTE; wait";
    let mut command = with_cargo(script, &["lock", "--profile", profile.to_str().unwrap()], &bench);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| fs::read_to_string(&note).is_ok_and(|n| n.ends_with('\n')), String::new);
    child.kill().unwrap();
    child.wait().unwrap();
    let compiler = fs::read_to_string(&note).unwrap();
    wait_until(|| is_gone(&compiler), || compiler.clone());
}

#[test]
fn cargo_ends_with_the_compilers_that_it_started() {
    let (_folder, bench) = bench();
    let profile = bench.profile("small", SMALL);
    let note = bench.folder.join("note");
    let script = "sleep 60 & echo $! > $NOTE; wait";
    let command = with_cargo(script, &["lock", "--profile", profile.to_str().unwrap()], &bench);
    says_so(interrupted(command, "TERM", &bench, |_| fs::read_to_string(&note).is_ok_and(|n| n.ends_with('\n'))));
    let compiler = fs::read_to_string(&note).unwrap();
    wait_until(|| is_gone(&compiler), || compiler.clone());
}

fn is_gone(pid: &str) -> bool {
    !fs::read_to_string(format!("/proc/{}/status", pid.trim())).is_ok_and(|status| !status.contains("zombie"))
}
