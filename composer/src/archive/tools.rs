//! The packages that the tools tree is made of, by what they are needed for.

use crate::profile::types::Suite;

/// Debian packages of the tools tree, all groups.
pub static TOOLS: &[&str] = &[
    // build
    "apt",
    "base-files",
    "base-passwd",
    "bash",
    "ca-certificates",
    "coreutils",
    "cpio",
    "dash",
    "debconf",
    "debian-archive-keyring",
    "diffutils",
    "dosfstools",
    "dpkg",
    "file",
    "findutils",
    "gpgv",
    "grep",
    "grub-common",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "grub2-common",
    "gzip",
    "hostname",
    "libc-bin",
    "mawk",
    "mount",
    "mtools",
    "perl-base",
    "procps",
    "sed",
    "shim-helpers-amd64-signed",
    "shim-signed",
    "squashfs-tools",
    "systemd",
    "tar",
    "util-linux",
    "xorriso",
    "xz-utils",
    "zstd",
    // boot
    "ovmf",
    "qemu-system-x86",
    "qemu-utils",
    "seabios",
    // live-build, and what it installs into its chroot for a while
    "debootstrap",
    "apt-utils",
    "dctrl-tools",
    "fonts-dejavu-core",
    "grub-efi-amd64-bin",
    "grub-efi-ia32-bin",
    "isolinux",
    "librsvg2-bin",
    "live-build",
    "rsync",
    "wget",
    // verify
    "libfaketime",
];

/// What the runtime's programs are linked against, of the image's own suite: start files and the C library.
pub fn sysroot(suite: Suite) -> [&'static str; 4] {
    let gcc = match suite {
        Suite::Bookworm => "libgcc-12-dev",
        Suite::Trixie => "libgcc-14-dev",
    };
    ["libc6", "libc6-dev", gcc, "libgcc-s1"]
}

/// A part of the tools tree that is fetched and laid over the others when it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub name: &'static str,
    /// The first of [`TOOLS`] that belong to it; it ends where the next begins.
    first: &'static str,
}

/// The groups, the first needed first; a package is in the first group that needs it.
pub static GROUPS: [Group; 4] = [
    Group { name: "build", first: "apt" },
    Group { name: "boot", first: "ovmf" },
    Group { name: "live-build", first: "debootstrap" },
    Group { name: "verify", first: "libfaketime" },
];

impl Group {
    /// The packages that the group is grown from.
    pub fn roots(self) -> &'static [&'static str] {
        let place = |name: &str| TOOLS.iter().position(|tool| *tool == name).unwrap_or(TOOLS.len());
        let next = GROUPS.iter().skip_while(|group| **group != self).nth(1);
        TOOLS.get(place(self.first)..next.map_or(TOOLS.len(), |group| place(group.first))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_in_one_group() {
        let all: Vec<&str> = GROUPS.iter().flat_map(|group| group.roots()).copied().collect();
        assert_eq!(all, TOOLS);
        assert!(GROUPS[1].roots().contains(&"qemu-system-x86"));
    }
}
