//! What the native engine is asked for and what it answers: plain data, sent to a worker and back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::lock::types::Ids;
use crate::profile::types::Compression;
use crate::render::accounts::Accounts;
use crate::tree::Tree;

/// The system below the profile's files: the base and packages layers, the kernel and the initrd.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SystemJob {
    /// Seconds since 1970; no time stamp is younger.
    pub epoch: u64,
    pub compression: Compression,
    /// The log file, as seen inside the worker.
    pub log: PathBuf,
    /// Numbers of system users and groups that earlier builds gave.
    pub ids: Ids,
    /// Objects that hold the packages' kernel modules in the form that is read fast.
    pub modules: Vec<Digest>,
    pub base: Step<BaseInput>,
    pub packages: Step<PackagesInput>,
    pub initrd: Option<InitrdInput>,
}

impl SystemJob {
    /// The packages that the work will unpack.
    pub fn debs(&self) -> impl Iterator<Item = &Deb> {
        let base = match &self.base {
            Step::Make(_, input) => [input.essential.as_slice(), input.others.as_slice()],
            Step::Reuse(_) => [&[][..], &[]],
        };
        let packages = match &self.packages {
            Step::Make(_, input) => input.debs.as_slice(),
            Step::Reuse(_) => &[],
        };
        base.into_iter().flatten().chain(packages)
    }
}

/// Make a layer, or use one that is in the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Step<T> {
    /// Make it and keep it in the store under this key as soon as it is finished.
    Make(Digest, T),
    Reuse(Digest),
}

/// A package that was made ready in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deb {
    pub name: String,
    pub sha256: Digest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BaseInput {
    /// Unpacked before dpkg can run in the target, in this order.
    pub essential: Vec<Deb>,
    pub others: Vec<Deb>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PackagesInput {
    pub debs: Vec<Deb>,
    /// What the layer's record will say of them.
    pub feeds_initrd: bool,
    /// Unit files and preset policy.
    pub units: Tree,
    /// Programs to run in the target after the packages: argument vectors.
    pub commands: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InitrdInput {
    /// The key to keep it under.
    pub key: Digest,
    /// False if nothing of the packages layer changes the initrd, so that it needs the base alone.
    pub on_packages: bool,
    /// The profile's files that go into the initrd.
    pub files: Tree,
}

/// Records of finished layers, kernels and initrds, by key.
pub const LAYERS: &str = "layers";

/// Records of layers that came from a shared store, by key.
pub const PULLED: &str = "pulled";

/// What came out; absent where something was reused.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Built {
    pub base: Option<LayerRecord>,
    pub packages: Option<LayerRecord>,
    pub boot: Option<BootRecord>,
}

/// A layer in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    pub digest: Digest,
    /// Bytes of the squashfs.
    pub size: u64,
    pub facts: Facts,
    /// Of the packages layer: whether its packages change the initrd. Not known of layers that were made before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feeds_initrd: Option<bool>,
}

/// What the files layer must know of the layers below it, so that it can be made without unpacking them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The account files as they are with this layer on top.
    pub accounts: Accounts,
    /// Folders that are not plain (0755, root:root), and symbolic links to folders, by path.
    pub folders: BTreeMap<String, Folder>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Folder {
    /// 0755, root:root.
    Usual,
    Plain {
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Link(String),
}

/// Kernel and initrd in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootRecord {
    /// `uname -r`.
    pub version: String,
    pub kernel: Digest,
    pub initrd: Digest,
}
