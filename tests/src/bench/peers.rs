//! The same image, as others make it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use borg_compose::lock::Lock;

use super::measure::{Figure, measure};
use super::table::Peer;
use super::yard::Yard;

/// apt takes an archive that nobody signed; what it holds is named by the lock's hashes.
const UNSIGNED: &str = "--yes -o Acquire::AllowInsecureRepositories=true -o APT::Get::AllowUnauthenticated=true \
                        -o Acquire::https::Proxy=http://127.0.0.1:1";

#[derive(Debug)]
pub struct Peers<'a> {
    pub yard: &'a Yard,
    pub lock: &'a Lock,
    /// Debian's archive as the rendered tree names it.
    pub mirror: &'a str,
    /// The rendered tree.
    pub tree: &'a Path,
    pub log: PathBuf,
}

impl Peers<'_> {
    /// One run; everything that may be kept between runs has been made by the one before.
    pub fn run(&self, peer: Peer, round: usize) -> Result<Figure, String> {
        match peer {
            Peer::LiveBuild => self.live_build("lb-xz", "/--chroot-squashfs-compression-/d"),
            Peer::LiveBuildZstd => self.live_build("lb", ""),
            Peer::Mkosi => self.mkosi("first", "no"),
            Peer::MkosiEdit => self.mkosi(&format!("edit {round}"), "yes"),
            Peer::Plain => self.plain(),
        }
    }

    /// Has a peer make what it keeps between runs, unless that was made of these very packages of Debian's.
    pub fn warm(&self, peer: Peer) -> Result<(), String> {
        let marker = self.yard.root().join(format!("{peer:?}.warm"));
        let debian = self.lock.packages.iter().filter(|p| p.archive != borg_compose::archive::pin::RUNTIME);
        let lock = borg_compose::Digest::of_value(&debian.map(|p| p.sha256).collect::<Vec<_>>()).to_string();
        if fs::read_to_string(&marker).is_ok_and(|text| text == lock) {
            return Ok(());
        }
        self.run(peer, 0)?;
        fs::write(&marker, lock).map_err(|e| e.to_string())
    }

    fn measured(&self, command: &Command) -> Result<Figure, String> {
        measure(command, &self.log, None)
    }

    /// `lb build` as its own documentation has it for a second time: clean, config, build, with its caches kept. What of the
    /// tree's options is not wanted is edited out.
    fn live_build(&self, name: &str, edit: &str) -> Result<Figure, String> {
        let folder = self.yard.root().join(name);
        fs::create_dir_all(&folder).unwrap();
        // What `lb config` wrote for another tree would be taken for the user's own choice.
        for part in ["auto", "config"] {
            let _ = fs::remove_dir_all(folder.join(part));
            let copied = Command::new("cp").arg("-a").arg(self.tree.join(part)).arg(&folder).status().unwrap();
            assert!(copied.success());
        }
        let edited = Command::new("sed").args(["-i", edit]).arg(folder.join("auto/config")).status().unwrap();
        assert!(edited.success());
        let proxy = self.yard.proxy();
        let script = "lb clean && lb config \"$@\" && lb build";
        let mut command = self.yard.command(&format!("/{name}"), "sh");
        command.args(["-c", script, "sh"]);
        command.args(["--apt-secure", "false", "--apt-options", UNSIGNED, "--apt-http-proxy", proxy]);
        command.env("SOURCE_DATE_EPOCH", self.lock.epoch.to_string());
        self.measured(&command)
    }

    /// A disk image with the same packages, from the packages or (incremental) from the tree that the last run kept.
    fn mkosi(&self, content: &str, incremental: &str) -> Result<Figure, String> {
        // A build that keeps nothing also throws away what was kept.
        let name = if incremental == "yes" { "mkosi-edit" } else { "mkosi" };
        let folder = self.yard.root().join(name);
        fs::create_dir_all(folder.join("mkosi.extra/etc")).unwrap();
        for cache in ["cache", "trees"] {
            fs::create_dir_all(folder.join(cache)).unwrap();
        }
        fs::write(folder.join("mkosi.extra/etc/bench"), content).unwrap();
        fs::write(folder.join("mkosi.conf"), self.mkosi_conf()).unwrap();
        // Its own choice asks for sources and debug symbols, which nobody installs.
        let sources = folder.join("mkosi.sandbox/etc/apt/sources.list.d");
        fs::create_dir_all(&sources).unwrap();
        let mirror = self.mirror;
        let text =
            format!("Types: deb\nURIs: {mirror}\nSuites: trixie\nComponents: main non-free-firmware\nTrusted: yes\n");
        fs::write(sources.join("mkosi.sources"), text).unwrap();
        // It keeps initramfs-tools from making an initrd; and what is prepared is kept for edits.
        let prepare = folder.join("mkosi.prepare.chroot");
        let script =
            "#!/bin/sh\nset -e\nfor v in $(ls /usr/lib/modules); do mkinitramfs -o /boot/initrd.img-$v $v; done\n";
        fs::write(&prepare, script).unwrap();
        fs::set_permissions(&prepare, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = self.yard.command(&format!("/{name}"), "mkosi");
        command.args([&format!("--incremental={incremental}"), "--force", "build"]);
        self.measured(&command)
    }

    /// Without a boot loader, which the others have. initramfs-tools makes the initrd as for the others.
    fn mkosi_conf(&self) -> String {
        let packages: Vec<&str> = self.lock.packages.iter().map(|p| p.name.as_str()).collect();
        format!(
            "[Distribution]\nDistribution=debian\nRelease=trixie\nMirror={}\nRepositories=main,non-free-firmware\n\
             RepositoryKeyCheck=no\n\n[Output]\nFormat=disk\nOutput=image\n\n[Build]\n\
             PackageCacheDirectory=cache\nCacheDirectory=trees\nWithNetwork=yes\nProxyUrl={}\nHistory=no\n\n[Content]\nBootable=no\nWithRecommends=no\n\
             SourceDateEpoch={}\nPackages={}\n",
            self.mirror,
            self.yard.proxy(),
            self.lock.epoch,
            packages.join("\n    ")
        )
    }

    /// mmdebstrap to a tar stream, that to a squashfs, and xorriso around it.
    fn plain(&self) -> Result<Figure, String> {
        let packages: Vec<&str> = self.lock.packages.iter().map(|p| p.name.as_str()).collect();
        let script = r#"set -e
rm -rf tree image.iso
mkdir -p tree/live
mmdebstrap --mode=root --variant=essential --include="$1" --format=tar trixie - "deb [trusted=yes] $2 trixie main non-free-firmware" >root.tar
sqfstar -quiet -no-progress -comp zstd -Xcompression-level 3 -b 1M -reproducible -exit-on-error tree/live/filesystem.squashfs <root.tar
tar -xf root.tar --wildcards -C tree --strip-components=2 './boot/vmlinuz-*' './boot/initrd.img-*'
rm root.tar
xorriso -as mkisofs -quiet -r -J -V PLAIN -o image.iso tree"#;
        fs::create_dir_all(self.yard.root().join("plain")).unwrap();
        let mut command = self.yard.command("/plain", "sh");
        command.args(["-c", script, "sh", &packages.join(","), self.mirror]);
        command.env("SOURCE_DATE_EPOCH", self.lock.epoch.to_string());
        self.measured(&command)
    }
}
