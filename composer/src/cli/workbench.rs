//! The tools of a lock, ready to work: every job of a verb goes through here.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::archive::{self, Sources};
use crate::error::Result;
use crate::lock::Lock;
use crate::lock::types::LockedPackage;
use crate::progress::Progress;
use crate::spec::types::ArchiveSpec;
use crate::store::Store;
use crate::workshop::namespaces::Scratch;
use crate::workshop::{Setup, Tools, Worker, memory, rootless, worker};

/// Memory that is left to everything else when the scratch space is a tmpfs.
const SPARE_MEMORY: u64 = 1_500_000_000;

/// How many logs of earlier runs of one name are kept.
const KEPT_LOGS: usize = 9;

/// Where tools that are not in the store come from.
#[derive(Debug, Clone, Copy)]
pub struct Supply<'a> {
    pub archives: &'a [ArchiveSpec],
    pub sources: &'a Sources,
    pub offline: bool,
}

#[derive(Debug)]
pub struct Workbench<'a> {
    packages: Vec<&'a LockedPackage>,
    from: Supply<'a>,
    /// The tools, once they were found to be what they are to be.
    checked: OnceLock<Tools>,
    /// Work on the disk however much memory there is.
    pub on_disk: bool,
    /// Have tools see another time of day, if the library for that is among them.
    pub other_clock: bool,
    store: &'a Store,
    progress: &'a Progress,
}

impl<'a> Workbench<'a> {
    /// Fetches and unpacks the tools of these groups.
    pub fn open(
        groups: &[&str],
        lock: &'a Lock,
        from: Supply<'a>,
        store: &'a Store,
        progress: &'a Progress,
    ) -> Result<Self> {
        let packages = tools_of(lock, groups);
        let checked = OnceLock::new();
        let bench = Workbench { packages, from, checked, on_disk: false, other_clock: false, store, progress };
        bench.fetch(&bench.packages)?;
        Tools::prepare(&bench.packages, store, progress, |package| bench.fetch(&[package]))?;
        Ok(bench)
    }

    fn fetch(&self, packages: &[&LockedPackage]) -> Result<()> {
        let Supply { archives, sources, offline } = self.from;
        archive::fetch(packages, archives, sources, self.store, self.progress, offline)
    }

    /// The tools, to be run. They are looked at for the first job only, and not at all when there is none: that takes longer
    /// than finding that there is nothing to do.
    pub fn tools(&self) -> Result<&Tools> {
        if let Some(tools) = self.checked.get() {
            return Ok(tools);
        }
        let tools = Tools::checked(&self.packages, self.store, self.progress, |package| self.fetch(&[package]))?;
        Ok(self.checked.get_or_init(|| tools))
    }

    /// Does one job in a worker with `scratch` bytes of work space, in memory if there is enough.
    pub fn run<J: Serialize, R: DeserializeOwned>(
        &self,
        job: &J,
        scratch: u64,
        binds: Vec<(PathBuf, PathBuf, bool)>,
    ) -> Result<R> {
        let mountpoint = self.store.temporary_folder()?;
        let disk = self.store.temporary_folder()?;
        let scratch = self.scratch(scratch, disk.path())?;
        let setup = Setup {
            tools: self.tools()?.root.clone(),
            store: self.store.root().to_owned(),
            mountpoint: mountpoint.path().to_owned(),
            scratch,
            binds,
            network: false,
            other_clock: self.other_clock,
        };
        let done = Worker { setup, store: self.store, progress: self.progress }.run(job);
        let removed = worker::remove_folder(&disk.keep());
        done.and_then(|value| removed.map(|()| value))
    }

    /// Memory, unless it was asked for the disk or memory will not do.
    fn scratch(&self, bytes: u64, disk: &Path) -> Result<Scratch> {
        if !self.on_disk {
            match hindrance(bytes) {
                None => return Ok(Scratch::Memory(bytes)),
                Some(why) => self.progress.say("scratch", &format!("{why}: using the disk")),
            }
        }
        rootless::check_disk(disk)?;
        Ok(Scratch::Disk(disk.to_owned()))
    }
}

/// Why this much scratch space does not go into memory now, if it does not.
pub fn hindrance(bytes: u64) -> Option<&'static str> {
    if memory::available() <= bytes + SPARE_MEMORY {
        return Some("not enough memory for the work space");
    }
    (!rootless::memory_will_do()).then_some("without root this needs Linux 6.6 to work in memory")
}

/// The locked tools of some groups, in the lock's order.
pub fn tools_of<'l>(lock: &'l Lock, groups: &[&str]) -> Vec<&'l LockedPackage> {
    lock.tools.iter().filter(|t| t.group.as_deref().is_none_or(|g| groups.contains(&g))).collect()
}

/// The log of a build, seen from here and from inside a worker.
#[derive(Debug)]
pub struct Log {
    pub host: PathBuf,
    pub inside: PathBuf,
}

impl Log {
    /// A new, empty log. Of the older ones of this name the newest are kept.
    pub fn new(name: &str, store: &Store) -> Result<Self> {
        let file = store.new_log(name, KEPT_LOGS)?;
        Ok(Log { host: store.log_path(&file), inside: Path::new(crate::workshop::STORE).join("logs").join(file) })
    }
}
