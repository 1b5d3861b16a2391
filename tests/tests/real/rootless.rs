//! Builds by an ordinary user, who is made for these tests and gone after them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use borg_tests::real::{bench, build, edge_iot};
use borg_tests::{Bench, Ran, program, sha256};

use super::traces;

/// An ordinary user with a home in which the program, a profile and a store of their own lie.
struct Person {
    name: &'static str,
    uid: u32,
    bench: Bench,
}

impl Person {
    /// A user of this name with subordinate ids, as useradd gives them.
    fn new(name: &'static str) -> Self {
        let _ = Command::new("userdel").args(["--remove", name]).output();
        let home = PathBuf::from("/var/tmp").join(name);
        let made = Command::new("useradd")
            .args(["--create-home", "--home-dir", home.to_str().unwrap(), "--shell", "/bin/sh"])
            .args(["--key", "SUB_UID_COUNT=65536", "--key", "SUB_GID_COUNT=65536", name])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let id = Command::new("id").args(["-u", name]).output().unwrap();
        let uid = String::from_utf8(id.stdout).unwrap().trim().parse().unwrap();
        fs::copy(program(), home.join("borg-compose")).unwrap();
        Person { name, uid, bench: Bench::new(&home) }
    }

    /// Gives the user all that lies in their home, and the program to everyone.
    fn own(&self) {
        let chown = Command::new("chown").args(["-R", &format!("{0}:{0}", self.name)]).arg(&self.bench.folder).status();
        assert!(chown.unwrap().success());
        fs::set_permissions(self.bench.folder.join("borg-compose"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The program as this user, outside of any checkout, with `path` to look for newuidmap in.
    fn command(&self, path: &str, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            self.name,
            "--regid",
            self.name,
            "--init-groups",
            "/usr/bin/env",
            "--ignore-environment",
        ]);
        command.arg(format!("PATH={path}")).arg(format!("BORG_STORE={}", self.bench.store.display()));
        command.arg(self.bench.folder.join("borg-compose")).args(args).current_dir(&self.bench.folder);
        command
    }

    fn run(&self, path: &str, args: &[&str]) -> Ran {
        Ran::new(&self.command(path, args).output().unwrap())
    }

    fn processes(&self) -> Vec<u32> {
        let statuses = fs::read_dir("/proc").unwrap().flatten();
        let of = |status: String| {
            let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().next());
            // One that has ended and waits for init to notice holds nothing any more.
            if field("State:")? == "Z" { None } else { field("Uid:")?.parse().ok() }
        };
        let uids = statuses.filter_map(|e| of(fs::read_to_string(e.path().join("status")).ok()?));
        uids.filter(|uid| *uid == self.uid || subordinate(self.name).contains(uid)).collect()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = Command::new("userdel").args(["--remove", self.name]).output();
        let _ = fs::remove_dir_all(&self.bench.folder);
    }
}

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

fn subordinate(name: &str) -> std::ops::Range<u32> {
    let text = fs::read_to_string("/etc/subuid").unwrap();
    let line = text.lines().find(|l| l.starts_with(&format!("{name}:"))).unwrap_or("x:0:0");
    let numbers: Vec<u32> = line.split(':').skip(1).map(|n| n.parse().unwrap()).collect();
    numbers[0]..numbers[0] + numbers[1]
}

/// What the lock names, without anything that was made of it.
fn lend_downloads(from: &Bench, lock: &str, to: &Bench) {
    // Opened once, it is a store, which files may then be put into.
    fs::create_dir_all(&to.store).unwrap();
    to.run(&["clean", "--all", "--dry-run"]).exits(0);
    let digests = lock.lines().filter_map(|l| l.strip_prefix("sha256 = \"")?.strip_suffix('"'));
    let all: Vec<PathBuf> = digests.map(|digest| from.store.join("objects").join(&digest[..2]).join(digest)).collect();
    for object in all.iter().filter(|path| path.is_file()) {
        let place = to.store.join(object.strip_prefix(&from.store).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(object, place).unwrap();
    }
}

/// Puts into what a killed run has left a folder that the user cannot remove.
fn leave_a_folder_of_another(person: &Person) {
    let tmp = person.bench.store.join("tmp");
    let run = fs::read_dir(&tmp).unwrap().flatten().map(|e| e.path()).find(|path| path.is_dir()).unwrap();
    let folder = run.join("of-another");
    fs::create_dir_all(folder.join("deeper")).unwrap();
    let other = subordinate(person.name).start + 5;
    lchown(folder.join("deeper"), Some(other), Some(other)).unwrap();
    lchown(&folder, Some(other), Some(other)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Owners of what lies below a folder.
fn owners(folder: &Path) -> Vec<u32> {
    let listed = Command::new("find").arg(folder).args(["-printf", "%U\n"]).output().unwrap();
    let mut found: Vec<u32> = String::from_utf8(listed.stdout).unwrap().lines().map(|l| l.parse().unwrap()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn an_ordinary_user_builds_the_same_bytes_and_leaves_nothing() {
    let bench = bench();
    let null = || fs::metadata("/dev/null").unwrap().mode() & 0o777;
    assert_eq!(null(), 0o666, "something before this test has changed /dev/null of this machine");
    let profile = bench.profile("ordinary", &edge_iot("ordinary", ""));
    let ran = build(&bench, &profile, &[]).exits(0);
    let hash = sha256(Path::new(ran.last_line()));
    let lock = fs::read_to_string(profile.with_extension("lock")).unwrap();
    assert_eq!(null(), 0o666, "root's build has changed /dev/null of this machine");

    let person = Person::new("borg-ordinary");
    let mine = person.bench.profile("ordinary", &edge_iot("ordinary", ""));
    fs::write(mine.with_extension("lock"), &lock).unwrap();
    lend_downloads(&bench, &lock, &person.bench);
    person.own();
    let args = ["build", "--locked", "--offline", "--profile", mine.to_str().unwrap(), "--out", "out"];
    let ran = person.run(PATH, &args).exits(0).says("base rebuilt").says("files rebuilt");
    let iso = person.bench.folder.join(ran.last_line());
    assert_eq!(sha256(&iso), hash);
    assert_eq!(owners(&person.bench.store), [person.uid]);

    // Killed while it works on the disk.
    person.run(PATH, &["clean", "--layers"]).exits(0);
    let log = person.bench.folder.join("said");
    let mut child = person
        .command(PATH, &[&args[..], &["--scratch", "disk"]].concat())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !fs::read_to_string(&log).unwrap().contains("packages  ") && start.elapsed() < Duration::from_mins(5) {
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(traces(&person.bench), [""; 0]);
    assert_eq!(person.processes(), [0; 0]);
    leave_a_folder_of_another(&person);
    let ran = person.run(PATH, &args).exits(0);
    assert_eq!(sha256(&person.bench.folder.join(ran.last_line())), hash);
    assert_eq!(fs::read_dir(person.bench.store.join("tmp")).unwrap().count(), 0);
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn what_an_ordinary_user_lacks_is_named() {
    let person = Person::new("borg-lacking");
    let profile = person.bench.profile("small", &edge_iot("small", ""));
    person.own();
    let args = ["build", "--profile", profile.to_str().unwrap()];
    let ran = person.run("/nonexistent", &args).exits(3).says("newuidmap and newgidmap are not on PATH");
    let _ = ran.says("install the package uidmap");
    person.run("/nonexistent", &["doctor"]).exits(3);
    let range = subordinate(person.name);
    let range = format!("{}-{}", range.start, range.end - 1);
    let taken = Command::new("usermod").args(["--del-subuids", &range, "--del-subgids", &range, person.name]).status();
    assert!(taken.unwrap().success());
    let ran = person.run(PATH, &args).exits(3).says("/etc/subuid gives borg-lacking 0 ids");
    let _ = ran.says("usermod --add-subuids ").says("own id alone is not enough");
}
