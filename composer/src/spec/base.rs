//! What the base system is made of, by suite.

use super::types::{Origin, Wanted};
use crate::profile::Profile;
use crate::profile::types::{Arch, Firmware, Flavour, Suite};

/// In every image, beside Debian's essential packages.
const BASE: [&str; 21] = [
    "adduser",
    "apt",
    "busybox",
    "ca-certificates",
    "dbus",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "live-boot",
    "live-boot-initramfs-tools",
    "login",
    "netbase",
    "passwd",
    "systemd",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "tzdata",
    "udev",
    "util-linux",
    "zstd",
];

/// Wired network, storage and CPU microcode: 25 MB of .deb for trixie, 33 MB for bookworm, half of it microcode.
/// Wi-Fi (`firmware-iwlwifi`, `-atheros`, 10 to 29 MB each) and graphics wait for `all`.
const COMMON: [&str; 7] = [
    "amd64-microcode",
    "firmware-bnx2",
    "firmware-bnx2x",
    "firmware-misc-nonfree",
    "firmware-qlogic",
    "firmware-realtek",
    "intel-microcode",
];
/// Split off from `firmware-misc-nonfree` after bookworm: the E800 network cards' package.
const COMMON_TRIXIE: [&str; 1] = ["firmware-intel-misc"];

/// The rest of non-free-firmware that a 64-bit PC can use. Left out: firmware of other boards (`raspi`, `qcom`, `marvell`,
/// `dahdi`), of the proprietary graphics drivers (`nvidia-gsp`), and what asks for a licence while it installs
/// (`ipw2x00`, `ivtv`).
const ALL: [&str; 18] = [
    "atmel-firmware",
    "bluez-firmware",
    "firmware-amd-graphics",
    "firmware-ast",
    "firmware-atheros",
    "firmware-brcm80211",
    "firmware-cavium",
    "firmware-intel-sound",
    "firmware-iwlwifi",
    "firmware-libertas",
    "firmware-myricom",
    "firmware-netronome",
    "firmware-netxen",
    "firmware-samsung",
    "firmware-siano",
    "firmware-sof-signed",
    "firmware-ti-connectivity",
    "firmware-zd1211",
];
const ALL_TRIXIE: [&str; 4] =
    ["firmware-cirrus", "firmware-intel-graphics", "firmware-mediatek", "firmware-nvidia-graphics"];

/// The firmware packages of a level.
pub fn firmware(level: Firmware, suite: Suite) -> Vec<&'static str> {
    let trixie = suite == Suite::Trixie;
    let mut names = Vec::new();
    if level != Firmware::None {
        names.extend(COMMON);
        names.extend(COMMON_TRIXIE.iter().filter(|_| trixie));
    }
    if level == Firmware::All {
        names.extend(ALL);
        names.extend(ALL_TRIXIE.iter().filter(|_| trixie));
    }
    names
}

/// Debian's kernel package.
pub fn kernel(flavour: Flavour, arch: Arch) -> String {
    let arch = match arch {
        Arch::Amd64 => "amd64",
    };
    match flavour {
        Flavour::Generic => format!("linux-image-{arch}"),
        Flavour::Cloud => format!("linux-image-cloud-{arch}"),
        Flavour::Rt => format!("linux-image-rt-{arch}"),
    }
}

/// What the base layer is grown from, sorted by name.
pub fn packages(profile: &Profile, kernel: &str, firmware_level: Firmware, suite: Suite) -> Vec<Wanted> {
    let ours = |name: &str| Wanted { name: name.to_owned(), by: Origin::Composer };
    let mut wanted: Vec<Wanted> = BASE.iter().map(|name| ours(name)).collect();
    wanted.push(ours(kernel));
    wanted.extend(firmware(firmware_level, suite).into_iter().map(ours));
    wanted.extend(by_profile(profile));
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    wanted.dedup_by(|a, b| a.name == b.name);
    wanted
}

/// What a key of the profile brings into the base.
fn by_profile(profile: &Profile) -> Vec<Wanted> {
    let of = |name: &str, pointer: String| Wanted { name: name.to_owned(), by: Origin::Profile(pointer) };
    let mut wanted = Vec::new();
    if profile.locale.as_deref().is_some_and(needs_locales) {
        wanted.push(of("locales", "/locale".to_owned()));
    }
    if profile.keyboard.as_ref().is_some_and(|keyboard| keyboard.layout != "us" || keyboard.variant.is_some()) {
        wanted.extend(["console-setup", "keyboard-configuration"].map(|name| of(name, "/keyboard".to_owned())));
    }
    let sudoer =
        profile.users.iter().position(|user| user.sudo == Some(true) || user.groups.iter().any(|g| g == "sudo"));
    wanted.extend(sudoer.map(|i| of("sudo", format!("/users/{i}"))));
    wanted
}

/// The C library itself brings `C`, `C.UTF-8` and `POSIX`.
fn needs_locales(locale: &str) -> bool {
    !matches!(locale, "C" | "C.UTF-8" | "POSIX")
}
