//! Room for two unpacked systems, with mounts that nobody else sees.

use std::path::{Path, PathBuf};

use borg_compose::workshop::{memory, namespaces};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Two desktops.
const ENOUGH_MEMORY: u64 = 8_000_000_000;

#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    in_memory: bool,
}

impl Place {
    /// In memory if there is enough, else below `parent`. The calling thread leaves the host's mount namespace.
    pub fn new(parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        let in_memory = memory::available() > ENOUGH_MEMORY;
        if in_memory {
            namespaces::tmpfs(folder.path(), "mode=0755").unwrap();
        }
        Place { folder, in_memory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Layers stacked, top first.
    pub fn overlay(&self, layers: &[PathBuf]) -> PathBuf {
        let at = self.path("merged");
        namespaces::overlay(layers, &self.path("upper"), &self.path("work"), &at).unwrap();
        at
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Either may not have come to be; what is left goes with the thread.
        let _ = namespaces::detach(&self.path("merged"));
        if self.in_memory {
            let _ = namespaces::detach(self.folder.path());
        }
    }
}
