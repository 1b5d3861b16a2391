//! The profile's types, from which both the parser and the JSON Schema are made.
//!
//! Everything is as written: defaults are decided by [`crate::spec`], nowhere else.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A borg-compose profile: a system image, described.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The profile's name; names the image and, unless `hostname` is given, the machine.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub profile: String,
    /// Services of the catalogue, each a name or a name with options.
    #[serde(default)]
    pub services: Vec<ServiceEntry>,
    /// The language model that answers offline, as Ollama names it: `phi3:instruct`.
    #[schemars(
        regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*(:[A-Za-z0-9][A-Za-z0-9._-]*)?$"),
        length(max = 200)
    )]
    pub offline_model: Option<String>,
    /// Never ask a model that is not on the device.
    pub offline_only: Option<bool>,
    /// The Debian release to build from; `trixie` by default.
    pub suite: Option<Suite>,
    /// The machine architecture; `amd64` by default.
    pub arch: Option<Arch>,
    /// The machine's name; the profile's name by default.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"))]
    pub hostname: Option<String>,
    /// The system locale, `C.UTF-8` by default; any other brings the package `locales`.
    #[schemars(regex(pattern = r"^[A-Za-z]+(_[A-Z]{2})?(\.UTF-8)?(@[a-z]+)?$"), length(max = 40))]
    pub locale: Option<String>,
    /// The time zone, `Etc/UTC` by default.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"))]
    pub timezone: Option<String>,
    /// The console keyboard; a US layout by default.
    pub keyboard: Option<Keyboard>,
    /// How the machine reaches the network; DHCP on every wired port by default.
    pub network: Option<Network>,
    /// Debian packages to install beside those that the services bring.
    #[serde(default)]
    pub packages: Vec<PackageName>,
    /// People who may log in. Nobody can unless this says so.
    #[serde(default)]
    pub users: Vec<User>,
    /// Files to place in the image.
    #[serde(default)]
    pub files: Vec<File>,
    /// The kernel and its command line.
    pub kernel: Option<Kernel>,
    /// How much device firmware and CPU microcode to carry; `common` by default.
    pub firmware: Option<Firmware>,
    /// Mirrors of the Debian archive to try, in order, before the host's own and the built-in ones.
    #[serde(default)]
    pub mirrors: Vec<Uri>,
    /// Further apt repositories, each verified with its own key.
    #[serde(default)]
    pub repositories: Vec<Repository>,
    /// The ISO: its tag, label, size limit and compression.
    pub image: Option<Image>,
}

/// A service: its name, or its name with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ServiceEntry {
    Name(String),
    /// One key, the service's name; the options are those of its folder in `units/`.
    WithOptions(IndexMap<String, Option<IndexMap<String, serde_json::Value>>>),
}

/// A Debian package's name (Debian Policy 5.6.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PackageName(#[schemars(regex(pattern = r"^[a-z0-9][a-z0-9+.-]+$"), length(max = 200))] pub String);

/// An `http://` or `https://` address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Uri(
    #[schemars(regex(pattern = r"^https?://[^\s'\x22\\]+$"), length(max = 2000))]
    pub String,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// Debian 13.
    Trixie,
    /// Debian 12.
    Bookworm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit PC.
    Amd64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keyboard {
    /// The XKB layout: `us`, `de`.
    #[schemars(regex(pattern = r"^[a-z]{2,10}(,[a-z]{2,10})*$"))]
    pub layout: String,
    /// The XKB variant: `nodeadkeys`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]*(,[A-Za-z0-9_-]*)*$"))]
    pub variant: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Ask for an address on every wired port; true by default.
    pub dhcp: Option<bool>,
    /// Addresses in CIDR form for every wired port, beside or instead of DHCP: `192.168.1.10/24`.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The default gateway's address, for machines without DHCP.
    pub gateway: Option<String>,
    /// DNS servers beside those that DHCP names.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Time servers; Debian's pool by default.
    #[serde(default)]
    pub time: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The login name (adduser's NAME_REGEX).
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,31}$"))]
    pub name: String,
    /// The numeric user id; by default the next from 1000.
    #[schemars(range(min = 1000, max = 59999))]
    pub uid: Option<u32>,
    /// Further groups, which the image's packages or services must make.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The login shell; `/bin/bash` by default.
    #[schemars(regex(pattern = r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$"), length(max = 200))]
    pub shell: Option<String>,
    /// Public SSH keys that may log in as this user, one `authorized_keys` line each.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// The password as a crypt(3) hash, made with `mkpasswd`: never the password itself.
    pub password_hash: Option<String>,
    /// A file beside the profile with the crypt(3) hash. It stays out of lock and image and is handed over at boot
    /// as the systemd credential `passwd.hashed-password.<name>`.
    pub password_hash_file: Option<String>,
    /// May become root with `sudo`; false by default.
    pub sudo: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where in the image; absolute, without `..`.
    pub path: String,
    /// The file's text.
    pub content: Option<String>,
    /// A file inside the profile's folder to copy.
    pub source: Option<String>,
    /// Permission bits in octal, quoted: `"0640"`; `"0644"` by default.
    #[schemars(regex(pattern = r"^0?[0-7]{3,4}$"))]
    pub mode: Option<String>,
    /// The owning user; `root` by default.
    #[schemars(regex(pattern = r"^[a-z_][a-z0-9_-]{0,31}$"))]
    pub owner: Option<String>,
    /// The owning group; the owner's name by default.
    #[schemars(regex(pattern = r"^[a-z_][a-z0-9_-]{0,31}$"))]
    pub group: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Which of Debian's kernels; `generic` by default.
    pub flavour: Option<Flavour>,
    /// Parameters to add to the kernel's command line.
    #[serde(default)]
    pub cmdline: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// `linux-image-<arch>`: every driver.
    Generic,
    /// `linux-image-cloud-<arch>`: virtual machines only. It has no USB drivers, so a stick never finds itself.
    Cloud,
    /// `linux-image-rt-<arch>`: bounded latencies.
    Rt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// Nothing: for virtual machines and boards that need none.
    None,
    /// Network, storage and CPU microcode.
    Common,
    /// Everything that Debian's non-free-firmware area holds for this machine.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// A short name, used for the files in `/etc/apt`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,40}$"))]
    pub name: String,
    /// The repository's address, the folder that holds `dists`.
    pub uri: Uri,
    /// The suite: `stable`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9./_-]*$"))]
    pub suite: String,
    /// The components; `main` by default.
    #[serde(default)]
    pub components: Vec<String>,
    /// A file inside the profile's folder with the OpenPGP key that signs the repository, armoured or binary.
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Names the files in `out/ISO`; `borgos-<profile>-<date of the lock>` by default. It never enters the bytes.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"))]
    pub tag: Option<String>,
    /// The ISO 9660 volume label, at most 32 of A-Z, 0-9 and `_`; made from the profile's name by default.
    #[schemars(regex(pattern = r"^[A-Z0-9_]{1,32}$"))]
    pub label: Option<String>,
    /// The largest ISO to make, `2 GB` by default.
    #[schemars(regex(pattern = r"^[0-9]+ ?(MB|MiB|GB|GiB)$"))]
    pub size_limit: Option<String>,
    /// How the layers are compressed; `zstd` by default.
    pub compression: Option<Compression>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Zstandard, level 6.
    Zstd,
    /// Zstandard, level 3: for the edit loop.
    Fast,
    /// XZ: the smallest and slowest.
    Xz,
}
