//! What a lock file holds. It is TOML, one table a package, so that a change reads well in a diff.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The format's number; a lock of another format is refused.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub format: u32,
    /// The digest of the `ImageSpec` that this was made for.
    pub spec: Digest,
    /// Digests of the spec's parts by name, so that a stale lock can say what changed.
    pub parts: BTreeMap<String, Digest>,
    /// `SOURCE_DATE_EPOCH`: seconds since 1970; no byte of the image is younger.
    pub epoch: u64,
    /// After the first build: what came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
    /// Users and groups that packages made, by number; later builds keep them.
    #[serde(default)]
    pub ids: Ids,
    /// The archives' signed states that the versions were taken from.
    #[serde(rename = "archive", default)]
    pub archives: Vec<LockedArchive>,
    /// The target's packages, sorted by name, the runtime's own included.
    #[serde(rename = "package", default)]
    pub packages: Vec<LockedPackage>,
    /// The tools tree's packages, sorted by name.
    #[serde(rename = "tool", default)]
    pub tools: Vec<LockedPackage>,
    /// What the runtime's programs are linked against, sorted by name; nothing if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sysroot: Vec<LockedPackage>,
}

impl Lock {
    /// The record that this lock names for a layer (`base`, `packages`, `initrd`) with this key.
    pub fn vouched(&self, layer: &str, key: &Digest) -> Option<Digest> {
        let outputs = self.outputs.as_ref()?;
        let of_layer = |output: &LayerOutput| Some(Made { key: output.key?, record: output.record? });
        let made = match layer {
            "initrd" => outputs.boot,
            _ => outputs.layers.iter().find(|output| output.name == layer).and_then(of_layer),
        };
        made.filter(|made| made.key == *key).map(|made| made.record)
    }

    /// Bytes of all .debs of the image.
    pub fn deb_bytes(&self) -> u64 {
        self.packages.iter().map(|p| p.size).sum()
    }

    /// The five largest packages, with their sizes.
    pub fn largest(&self) -> Vec<String> {
        let mut packages: Vec<_> = self.packages.iter().collect();
        packages.sort_by_key(|p| std::cmp::Reverse(p.size));
        packages.iter().take(5).map(|p| format!("{} ({} MB)", p.name, p.size / 1_000_000)).collect()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    #[serde(default)]
    pub users: BTreeMap<String, u32>,
    #[serde(default)]
    pub groups: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedArchive {
    /// `ArchiveSpec::name`.
    pub name: String,
    pub suite: String,
    /// The Release file's Date, seconds since 1970.
    pub date: u64,
    /// The SHA-256 of `InRelease`.
    pub sha256: Digest,
    /// Fingerprints of the keys that signed it, upper-case hexadecimal.
    pub signed_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    pub name: String,
    pub version: String,
    /// `amd64` or `all`.
    pub architecture: String,
    /// Which layer it belongs to; tools have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<PackageLayer>,
    /// Which part of the tools tree it belongs to (`build`, `boot`, `live-build`); the target's packages have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `ArchiveSpec::name`, or `runtime` for our own.
    pub archive: String,
    /// The path below the archive's root (`pool/main/…`), or the file name for our own.
    pub filename: String,
    /// Bytes of the .deb.
    pub size: u64,
    pub sha256: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageLayer {
    /// Essential: unpacked and configured first, all the rest rely on it.
    Essential,
    Base,
    Packages,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// The ISO.
    pub iso: Output,
    pub kernel: Digest,
    pub initrd: Digest,
    /// Kernel and initrd, as other machines know them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Made>,
    /// Bottom first: base, packages, files.
    #[serde(rename = "layer")]
    pub layers: Vec<LayerOutput>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub sha256: Digest,
    pub size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerOutput {
    pub name: String,
    pub sha256: Digest,
    pub size: u64,
    /// What it was made of, and the digest of its record, as in [`Made`]; the files layer has neither, nor have older locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Digest>,
}

/// Something that was made, as a store that is shared has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The digest of all that went in.
    pub key: Digest,
    /// The digest of its record, which names its bytes.
    pub record: Digest,
}
