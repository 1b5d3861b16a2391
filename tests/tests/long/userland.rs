//! Hosts of two Debian releases, root and an ordinary user: one lock, one hash, the runtime's programs included.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use borg_compose::archive::{Sources, pin};
use borg_compose::lock;
use borg_tests::real::{bench, build, edge_iot};
use borg_tests::userland::Userland;
use borg_tests::{Bench, Ran, checkout, program, sha256};

/// What a developer's machine has beside Rust: a C compiler for build scripts; and what an ordinary user needs.
const PACKAGES: &str = "ca-certificates,gcc,libc6-dev,mount,uidmap,passwd";

#[test]
#[ignore = "takes minutes and root: ./.ci/test --long runs it"]
fn debian_12_and_13_make_the_same_bytes() {
    let bench = bench();
    let profile = bench.profile("userland", &edge_iot("userland", ""));
    let hash = sha256(Path::new(build(&bench, &profile, &[]).exits(0).last_line()));
    for suite in ["bookworm", "trixie"] {
        let place = Place::new(&bench, suite);
        for user in ["root", "person"] {
            place.fill(&bench);
            assert_eq!(sha256(&place.build_as(user)), hash, "{suite}, {user}");
        }
    }
}

/// A userland with a copy of the store that has packages alone, and neither layers nor anything of the runtime.
struct Place {
    system: Userland,
    folder: PathBuf,
}

impl Place {
    fn new(bench: &Bench, suite: &str) -> Self {
        let folder = bench.folder.join(format!("userland-{suite}"));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.join("log");
        let system = Userland::new(&folder.join("root"), suite, PACKAGES, &mirror(), &log);
        let users = fs::read_to_string(system.root.join("etc/passwd")).unwrap();
        if !users.contains("person:") {
            let mut made = system.command("/", &[], "useradd");
            made.args(["--create-home", "--key", "SUB_UID_COUNT=65536", "--key", "SUB_GID_COUNT=65536", "person"]);
            assert!(made.status().unwrap().success());
        }
        fs::copy(program(), system.root.join("usr/bin/borg-compose")).unwrap();
        Place { system, folder }
    }

    /// The profile, its lock, the packages that it names, and the crates that cargo has downloaded.
    fn fill(&self, bench: &Bench) {
        let work = self.folder.join("work");
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(work.join("profiles")).unwrap();
        for ending in ["yaml", "lock"] {
            let name = format!("profiles/userland.{ending}");
            fs::copy(bench.folder.join(&name), work.join(&name)).unwrap();
        }
        let run = |argv: &[&str], path: &Path, to: &Path| {
            assert!(Command::new(argv[0]).args(&argv[1..]).arg(path).arg(to).status().unwrap().success());
        };
        run(&["cp", "-a", "--reflink=auto"], &bench.store, &work.join("store"));
        let store = Bench { folder: work.clone(), store: work.join("store") };
        store.run(&["clean", "--layers", "--tools"]).exits(0);
        for records in ["runtime", "runtime-sources"] {
            fs::remove_dir_all(store.store.join("records").join(records)).unwrap();
        }
        let lock = lock::file::read(&work.join("profiles/userland.lock")).unwrap().unwrap();
        for package in lock.packages.iter().filter(|p| p.archive == borg_compose::archive::pin::RUNTIME) {
            let name = package.sha256.to_string();
            fs::remove_file(store.store.join("objects").join(&name[..2]).join(name)).unwrap();
        }
        fs::create_dir_all(work.join("cargo")).unwrap();
        run(&["cp", "-a", "--reflink=auto"], &cargo_home().join("registry"), &work.join("cargo/registry"));
    }

    /// Builds from the lock in a checkout at another place, without a network; answers with the ISO.
    fn build_as(&self, user: &str) -> PathBuf {
        let (work, source, rust) = (self.folder.join("work"), checkout(), toolchain());
        let binds = [(work.as_path(), "/work"), (source.as_path(), "/src"), (rust.as_path(), "/rust")];
        let own = self.system.command("/", &binds, "chown").args(["-R", user, "/work"]).status().unwrap();
        assert!(own.success());
        let mut command = self.system.command("/src", &binds, "unshare");
        command.args(["--net", "setpriv", "--reuid", user, "--regid", user, "--init-groups", "borg-compose", "build"]);
        command.args(["--locked", "--offline", "--profile", "/work/profiles/userland.yaml", "--out", "/work/out"]);
        command.env("PATH", "/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs([("BORG_STORE", "/work/store"), ("CARGO_HOME", "/work/cargo")]);
        command.env("CARGO_TARGET_DIR", format!("/work/target-{user}"));
        let ran = Ran::new(&command.output().unwrap()).exits(0).says("building borg-boot-check");
        work.join(ran.says("base rebuilt").last_line().trim_start_matches("/work/"))
    }
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// The folder of the Rust that is used here.
fn toolchain() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).current_dir(checkout()).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// The host's own first mirror: both suites are on it.
fn mirror() -> String {
    Sources::of_host(&[]).mirrors(&pin::tools_spec()).swap_remove(0)
}
