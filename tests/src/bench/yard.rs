//! A trixie system in which the peers run, with a local archive of the lock's packages as their only mirror.

use std::fs;
use std::path::Path;
use std::process::Command;

use borg_compose::engine::live_build::{Deb, Place, archive, debs, server};
use borg_compose::lock::Lock;
use borg_compose::store::Store;

use crate::userland::Userland;

/// What the peers are, and what they call.
const PACKAGES: &str = "ca-certificates,mkosi,mmdebstrap,live-build,squashfs-tools,xorriso,systemd,systemd-repart,udev,\
                        e2fsprogs,dosfstools,mtools,cpio,zstd,xz-utils,apt-utils,debian-archive-keyring,procps";

#[derive(Debug)]
pub struct Yard {
    system: Userland,
    /// The local archive's address, as a proxy.
    proxy: String,
}

impl Yard {
    /// Makes the system below `folder` unless it is there, and serves the archive as long as this process lives.
    pub fn new(folder: &Path, lock: &Lock, store: &Store, mirrors: &[(String, String)], log: &Path) -> Self {
        let system = Userland::new(&folder.join("yard"), "trixie", PACKAGES, &mirrors[0].1, log);
        let _ = fs::remove_file(system.root.join("etc/resolv.conf"));
        let places: Vec<Place> = mirrors.iter().map(|(suite, uri)| place(suite, uri)).collect();
        let mut offered: Vec<Deb> = debs(&lock.packages, &lock.tools);
        let own = lock.packages.iter().filter(|p| p.archive == borg_compose::archive::pin::RUNTIME);
        offered.extend(own.map(|p| Deb { size: p.size, sha256: p.sha256, priority: None }));
        let proxy = server::start(archive::build(&places, &offered, store, lock.epoch).unwrap()).unwrap();
        Yard { system, proxy }
    }

    pub fn root(&self) -> &Path {
        &self.system.root
    }

    pub fn proxy(&self) -> &str {
        &self.proxy
    }

    /// A command that runs in a folder of the yard.
    pub fn command(&self, folder: &str, program: &str) -> Command {
        let mut command = self.system.command(folder, &[], program);
        command.env("http_proxy", &self.proxy);
        command
    }
}

fn place(suite: &str, uri: &str) -> Place {
    Place { uri: uri.to_owned(), suite: suite.to_owned(), components: vec!["main".into(), "non-free-firmware".into()] }
}
