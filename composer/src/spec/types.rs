//! `ImageSpec`: no field means "filled in later".

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;
use crate::catalogue::types::{Protocol, Reach, TemplateFile};
use crate::profile::types::{Arch, Compression, Firmware, Flavour, Keyboard, Suite};

/// Everything that decides the image's bytes but the packages' versions. Its digest binds the lock to the profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageSpec {
    pub profile: String,
    pub suite: Suite,
    pub arch: Arch,
    pub hostname: String,
    pub locale: String,
    pub timezone: String,
    pub keyboard: Keyboard,
    pub network: NetworkSpec,
    /// Sorted by name; the catalogue's `always` services included.
    pub services: Vec<ServiceSpec>,
    /// What the base layer is grown from: package names, sorted. A name may be followed by `=` nothing else.
    pub base_packages: Vec<Wanted>,
    /// What the packages layer is grown from.
    pub packages: Vec<Wanted>,
    /// Sorted by name.
    pub users: Vec<UserSpec>,
    /// Sorted by path.
    pub files: Vec<FileSpec>,
    pub kernel: KernelSpec,
    pub firmware: Firmware,
    /// The archives to resolve from, Debian's own first.
    pub archives: Vec<ArchiveSpec>,
    pub image: ImageOptions,
    pub device: borg_config::Device,
    /// The digest of the templates, units and medium skeleton that this image is rendered with.
    pub assets: Digest,
}

impl ImageSpec {
    pub fn digest(&self) -> Digest {
        Digest::of_value(self)
    }

    /// Services that nobody named, each with the one that it came with.
    pub fn brought(&self) -> impl Iterator<Item = (&str, &str)> {
        self.services.iter().filter_map(|service| Some((service.name.as_str(), service.brought_by.as_deref()?)))
    }

    /// The runtime crates that the services bring, sorted, once each.
    pub fn runtime(&self) -> Vec<&str> {
        let mut crates: Vec<&str> = self.services.iter().flat_map(|s| s.runtime.iter().map(String::as_str)).collect();
        crates.sort_unstable();
        crates.dedup();
        crates
    }
}

/// A package that somebody asked for, and who: error messages point there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub name: String,
    /// Not serialised: moving a line of the profile changes no byte of the image, so it must not age the lock.
    #[serde(skip)]
    pub by: Origin,
}

/// Where a wish comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A JSON pointer into the profile: `/packages/3`.
    Profile(String),
    /// A service, and the pointer to its entry in the profile, if it has one.
    Service(String, Option<String>),
    /// The composer itself: the base system.
    #[default]
    Composer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    pub dhcp: bool,
    pub addresses: Vec<String>,
    pub gateway: Option<String>,
    pub dns: Vec<String>,
    pub time: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    pub name: String,
    /// The service that it came with. Not serialised: who asked for a service changes no byte of the image.
    #[serde(skip)]
    pub brought_by: Option<String>,
    /// Every option with its value, defaults applied, in the catalogue's order.
    pub options: indexmap::IndexMap<String, Value>,
    pub runtime: Vec<String>,
    pub units: Vec<String>,
    pub enable: Vec<String>,
    /// The catalogue's templates and where they go.
    pub files: Vec<TemplateFile>,
    pub ports: Vec<Port>,
    pub health: Vec<Health>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    pub port: u16,
    pub protocol: Protocol,
    pub reach: Reach,
}

/// A health check, decided; written to the device for its boot check.
pub use borg_config::Health;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSpec {
    pub name: String,
    pub uid: u32,
    /// Sorted; `sudo` included if asked for.
    pub groups: Vec<String>,
    pub shell: String,
    pub ssh_keys: Vec<String>,
    pub password: Password,
}

/// How a user's password is set. A hash from a file is not here: it never enters lock or image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Password {
    /// No password: the account is locked for password logins.
    Locked,
    /// A crypt(3) hash.
    Hash(String),
    /// The systemd credential `passwd.hashed-password.<name>` at boot.
    Credential,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// Absolute.
    pub path: String,
    pub digest: Digest,
    /// The bytes, kept out of the serialised form: the digest stands for them.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    pub mode: u32,
    pub owner: String,
    pub group: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelSpec {
    pub flavour: Flavour,
    /// The Debian package: `linux-image-amd64`.
    pub package: String,
    /// Parameters beyond the composer's own.
    pub cmdline: Vec<String>,
}

/// An apt archive to resolve from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveSpec {
    /// A short name: `debian`, `updates`, `security`, or the extra repository's.
    pub name: String,
    pub kind: ArchiveKind,
    /// The suite below `dists/`: `trixie`, `trixie-updates`, `trixie-security`.
    pub suite: String,
    pub components: Vec<String>,
    /// For the image's own sources: the canonical address, never a mirror of the build host.
    pub uri: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArchiveKind {
    /// Debian's main archive, served by mirrors as `<mirror>/dists/…`.
    Debian,
    /// Debian's security archive, usually `<host>/debian-security`.
    Security,
    /// Somebody else's, with its own key (an OpenPGP certificate, armoured text or hexadecimal of the binary form).
    Extra { key: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOptions {
    pub label: String,
    /// Bytes.
    pub size_limit: u64,
    pub compression: Compression,
}
