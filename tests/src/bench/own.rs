//! The composer's own work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use borg_compose::Digest;
use borg_compose::archive::deb;
use borg_compose::lock::{self, Lock};
use borg_compose::store::Store;

use super::measure::{Figure, measure};
use crate::real::edge_iot;
use crate::{Bench, program};

/// Packages of which nothing goes into the initrd, and such of which something does.
const PLAIN: [&str; 3] = ["hello", "tree", "ed"];
const INITRD: [&str; 3] = ["btrfs-progs", "lvm2", "mdadm"];
/// Profiles that share a base.
const FAMILY: usize = 10;
/// Beside the target's own tree.
const ALLOWANCE: u64 = 500_000_000;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Cold,
    ColdOnDisk,
    ColdInLittleMemory,
    Package,
    InitrdPackage,
    File,
    FileFast,
    Nothing,
    Check,
    CheckMany(usize),
    First,
    Family,
}

#[derive(Debug)]
pub struct Own {
    pub bench: Bench,
    pub log: PathBuf,
}

impl Own {
    /// Locks, downloads and builds every variant once.
    pub fn prepare(&self) {
        for package in PLAIN.iter().chain(&INITRD) {
            self.write("same", package);
            self.build(&[]);
        }
        self.write("same", "");
        self.build(&[]);
        for count in [1000, 10_000] {
            many(&self.folder(&format!("many-{count}")), count);
        }
        let runtime = self.bench.folder.join("runtime");
        let _ = fs::remove_dir_all(&runtime);
        fs::create_dir_all(&runtime).unwrap();
        for package in self.lock().packages.iter().filter(|p| p.archive == borg_compose::archive::pin::RUNTIME) {
            fs::copy(self.store().object(&package.sha256), runtime.join(&package.filename)).unwrap();
        }
        for (name, count) in [("first", 1), ("family", FAMILY)] {
            family(&self.folder(name), count);
            self.quietly(&self.all(name));
        }
    }

    /// One run, after what it starts from has been put in place.
    pub fn run(&self, work: Work, round: usize) -> Result<Figure, String> {
        let edited = format!("edit {round}");
        match work {
            Work::Cold => self.cold(&[], None),
            Work::ColdOnDisk => self.cold(&["--scratch", "disk"], None),
            Work::ColdInLittleMemory => self.cold(&[], Some(self.tree_bytes() + ALLOWANCE)),
            Work::Package => self.with_package(PLAIN[round % PLAIN.len()]),
            Work::InitrdPackage => self.with_package(INITRD[round % INITRD.len()]),
            Work::File => {
                self.settle(&[]);
                self.write(&edited, "");
                self.measured(&self.command(&[]), None)
            }
            Work::FileFast => {
                self.settle(&["--fast"]);
                self.write(&edited, "");
                self.measured(&self.command(&["--fast"]), None)
            }
            Work::Nothing => {
                self.settle(&[]);
                self.measured(&self.command(&[]), None)
            }
            Work::Check => {
                // So short that what else the machine does shows: the middle one of several.
                let command = self.bench.command(&["check", "--profile", &self.profile()]);
                let mut figures = (0..11).map(|_| self.measured(&command, None)).collect::<Result<Vec<_>, _>>()?;
                figures.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
                Ok(figures.swap_remove(5))
            }
            Work::CheckMany(count) => {
                let mut command = Command::new(program());
                command.args(["check", "--all"]).current_dir(self.folder(&format!("many-{count}")));
                self.measured(&command, None)
            }
            Work::First => self.without_layers(&self.all("first")),
            Work::Family => self.without_layers(&self.all("family")),
        }
    }

    pub fn lock(&self) -> Lock {
        lock::file::read(&Path::new(&self.profile()).with_extension("lock")).unwrap().unwrap()
    }

    pub fn store(&self) -> Store {
        Store::open(&self.bench.store).unwrap()
    }

    /// What the packages say they take when they are installed.
    pub fn tree_bytes(&self) -> u64 {
        let (store, lock) = (self.store(), self.lock());
        let kilobytes = |sha256: &Digest| {
            let control = deb::control(&store.object(sha256)).unwrap();
            control.get("Installed-Size").and_then(|size| size.parse::<u64>().ok()).unwrap_or_default()
        };
        1024 * lock.packages.iter().map(|p| kilobytes(&p.sha256)).sum::<u64>()
    }

    /// The unedited profile as a live-build config tree.
    pub fn render(&self) -> PathBuf {
        self.write("same", "");
        let to = self.bench.folder.join("rendered");
        let _ = fs::remove_dir_all(&to);
        self.quietly(&self.bench.command(&["render", "--profile", &self.profile(), "--to", to.to_str().unwrap()]));
        to
    }

    /// Has every package of the lock fetched, those of all tools too.
    pub fn fetch_all(&self) {
        let archive = self.folder("vendor.tar");
        let output = archive.to_str().unwrap();
        self.quietly(&self.bench.command(&["vendor", "--profile", &self.profile(), "--output", output]));
        fs::remove_file(&archive).unwrap();
    }

    fn cold(&self, more: &[&str], limit: Option<u64>) -> Result<Figure, String> {
        self.write("same", "");
        self.no_layers();
        self.measured(&self.command(more), limit)
    }

    fn without_layers(&self, command: &Command) -> Result<Figure, String> {
        self.no_layers();
        self.measured(command, None)
    }

    /// The lock is mended before the clock starts: it is there for the peers too.
    fn with_package(&self, package: &str) -> Result<Figure, String> {
        self.no_layers();
        self.settle(&[]);
        self.write("same", package);
        self.quietly(&self.bench.command(&["lock", "--profile", &self.profile()]));
        self.measured(&self.command(&[]), None)
    }

    /// The profile as it was, built.
    fn settle(&self, more: &[&str]) {
        self.write("same", "");
        self.build(more);
    }

    fn measured(&self, command: &Command, limit: Option<u64>) -> Result<Figure, String> {
        measure(command, &self.log, limit)
    }

    fn build(&self, more: &[&str]) {
        self.quietly(&self.command(more));
    }

    fn no_layers(&self) {
        self.quietly(&self.bench.command(&["clean", "--layers"]));
    }

    fn quietly(&self, command: &Command) {
        self.measured(command, None).unwrap_or_else(|e| panic!("{command:?}: {e}; see {}", self.log.display()));
    }

    fn command(&self, more: &[&str]) -> Command {
        let out = self.bench.folder.join("out");
        let mut command = self.bench.command(&["build", "--profile", &self.profile(), "--out", out.to_str().unwrap()]);
        command.args(more);
        command
    }

    fn all(&self, folder: &str) -> Command {
        let mut command = self.bench.command(&["build", "--all", "--runtime"]);
        command.arg(self.bench.folder.join("runtime")).current_dir(self.folder(folder));
        command
    }

    fn profile(&self) -> String {
        self.folder("profiles/bench.yaml").to_str().unwrap().to_owned()
    }

    fn write(&self, text: &str, package: &str) {
        let more = format!("packages: [{package}]\nfiles: [{{path: /etc/bench, content: {text}}}]\n");
        fs::write(self.profile(), edge_iot("bench", &more)).unwrap();
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.bench.folder.join(name)
    }
}

/// As many profiles, each different.
fn many(folder: &Path, count: usize) {
    let profiles = folder.join("profiles");
    fs::create_dir_all(&profiles).unwrap();
    for number in 0..count {
        let name = format!("shop-{number}");
        let more = format!(
            "hostname: {name}\npackages: [jq, tree]\nusers: [{{name: ann}}]\nfiles: [{{path: /etc/shop, content: \"{number}\"}}]\n"
        );
        fs::write(profiles.join(format!("{name}.yaml")), edge_iot(&name, &more)).unwrap();
    }
}

/// Profiles that differ in a file and, every second one, in a package.
fn family(folder: &Path, count: usize) {
    let profiles = folder.join("profiles");
    fs::create_dir_all(&profiles).unwrap();
    for number in 0..count {
        let name = format!("shop-{number}");
        let package = if number % 2 == 1 { "tree" } else { "" };
        let more = format!("packages: [{package}]\nfiles: [{{path: /etc/shop, content: \"{number}\"}}]\n");
        fs::write(profiles.join(format!("{name}.yaml")), edge_iot(&name, &more)).unwrap();
    }
}
