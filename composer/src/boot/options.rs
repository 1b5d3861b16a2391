//! What a person asks for on the command line.

use std::fmt;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::namespaces::{Scratch, Setup};

/// How long a check waits for its verdict: several times what a boot takes without hardware virtualisation.
pub const TIMEOUT: Duration = Duration::from_mins(5);

/// The firmware that starts the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// `SeaBIOS`.
    Bios,
    /// OVMF, Secure Boot off.
    Uefi,
    /// OVMF with Microsoft's keys enrolled: Secure Boot on.
    UefiSecure,
}

/// What the ISO is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Media {
    /// A CD in a SATA drive.
    Cd,
    /// A stick on an xHCI controller.
    Usb,
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Firmware::Bios => "bios",
            Firmware::Uefi => "uefi",
            Firmware::UefiSecure => "uefi-secure",
        })
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Media::Cd => "cd",
            Media::Usb => "usb",
        })
    }
}

/// One boot.
#[derive(Debug, Clone)]
pub struct Options {
    pub iso: PathBuf,
    pub firmware: Firmware,
    pub media: Media,
    pub memory_mb: u32,
    /// A verdict is wanted rather than a terminal.
    pub check: bool,
    /// How long a check waits for its verdict.
    pub timeout: Duration,
    /// Ports of the guest that an interactive boot makes reachable on the host's loopback address.
    pub forward: Vec<u16>,
    /// systemd credentials for the guest: name and content.
    pub credentials: Vec<(String, Vec<u8>)>,
    /// A disk image for the guest to write to, beside the medium.
    pub disk: Option<PathBuf>,
    /// Where an interactive boot has the guest's second serial port, as a Unix socket.
    pub serial: Option<PathBuf>,
    /// A PNG of the guest's screen at the end of a check.
    pub screenshot: Option<PathBuf>,
}

impl Options {
    pub fn new(iso: impl Into<PathBuf>) -> Self {
        Options {
            iso: iso.into(),
            firmware: Firmware::Uefi,
            media: Media::Cd,
            memory_mb: 1536,
            check: false,
            timeout: TIMEOUT,
            forward: Vec::new(),
            credentials: Vec::new(),
            disk: None,
            serial: None,
            screenshot: None,
        }
    }

    /// What a check's machine has of the host: nothing of its network.
    pub(super) fn host(&self) -> Host<'_> {
        Host { iso: &self.iso, disk: self.disk.as_deref(), serial: None, network: false }
    }

    /// `bios-cd`, say: names logs and reports.
    pub fn label(&self) -> String {
        format!("{}-{}", self.firmware, self.media)
    }
}

/// What of the host a machine is to have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host<'a> {
    pub iso: &'a Path,
    pub disk: Option<&'a Path>,
    /// The folder of the second serial port's socket.
    pub serial: Option<&'a Path>,
    pub network: bool,
}

/// A worker's view: the tools tree with QEMU, the ISO read-only, the disk, and the host's KVM if it has one.
pub(super) fn setup(host: Host<'_>, tools_root: &Path, store: &Store, mountpoint: &Path) -> Result<Setup> {
    let iso = host.iso.canonicalize().at("open", host.iso)?;
    let mut binds = vec![(iso, PathBuf::from(super::MEDIUM), false)];
    if let Some(disk) = host.disk {
        binds.push((disk.canonicalize().at("open", disk)?, PathBuf::from(super::DISK), true));
    }
    if let Some(folder) = host.serial {
        binds.push((folder.to_owned(), PathBuf::from(super::SERIAL), true));
    }
    if kvm() {
        binds.push((KVM.into(), KVM.into(), true));
    }
    Ok(Setup {
        tools: tools_root.to_owned(),
        store: store.root().to_owned(),
        mountpoint: mountpoint.to_owned(),
        scratch: Scratch::Memory(64 << 20),
        binds,
        network: host.network,
        other_clock: false,
    })
}

const KVM: &str = "/dev/kvm";

/// Whether the host lets this user open KVM. It may still fail to run a guest.
fn kvm() -> bool {
    std::fs::File::options().read(true).write(true).open(KVM).is_ok()
}

/// The folder and the name of a socket that QEMU is to make there.
pub(super) fn socket(path: &Path) -> Result<(PathBuf, String)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| name.chars().all(plain));
    // It goes into one of QEMU's options.
    let name = name.ok_or_else(|| {
        Error::usage(format!("{} is no place for the serial port's socket", path.display()))
            .help("give it a name of letters, digits, '.', '_' and '-', such as `uart.sock`")
    })?;
    // QEMU removes whatever is there.
    if path.symlink_metadata().is_ok_and(|there| !there.file_type().is_socket()) {
        return Err(Error::usage(format!("{} is no socket, and in the way of one", path.display()))
            .help("give the serial port's socket another place"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((folder.canonicalize().at("open", folder)?, name.to_owned()))
}

/// What a credential's name may be made of: it goes into a QEMU option and a file name.
pub(super) fn check_names(credentials: &[(String, Vec<u8>)]) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match credentials.iter().find(|(name, _)| name.is_empty() || name.starts_with('.') || !name.chars().all(plain)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::usage(format!("{name:?} is not a credential's name"))
            .help("use letters, digits, '.', '_' and '-', as in `passwd.hashed-password.admin`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_a_plain_name_and_covers_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| socket(&folder.path().join(name));
        let real = folder.path().canonicalize().unwrap();
        assert_eq!(at("uart.sock").unwrap(), (real, "uart.sock".into()));
        assert_eq!(socket(Path::new("uart.sock")).unwrap().1, "uart.sock");
        std::fs::write(folder.path().join("file"), "").unwrap();
        for bad in ["a,b", "a=b", "a b", "..", "file", "none/uart.sock"] {
            assert!(at(bad).is_err(), "{bad}");
        }
        let _listening = std::os::unix::net::UnixListener::bind(folder.path().join("old.sock")).unwrap();
        assert!(at("old.sock").is_ok());
    }

    #[test]
    fn a_name_that_could_leave_its_option_is_refused() {
        let named = |name: &str| check_names(&[(name.to_owned(), Vec::new())]);
        assert!(named("passwd.hashed-password.admin").is_ok());
        for bad in ["", "a,b", "a=b", "../x", "a b", "a\nb"] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
    }
}
