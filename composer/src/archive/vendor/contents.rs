//! What a vendor archive holds, and under which names.

use std::collections::BTreeMap;

use crate::Digest;

/// The folder of packages.
pub const DEBS: &str = "debs";

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Bytes(Vec<u8>),
    /// An object of the store.
    Object(Digest),
}

/// Files by their paths, in the order in which they are written.
pub type Contents = BTreeMap<String, Entry>;

/// The name of a package: found by what is in it, whatever it is called elsewhere.
pub fn deb(sha256: &Digest) -> String {
    format!("{DEBS}/{sha256}.deb")
}

/// The package that a path is the name of; one that was packed anew may start with `./`.
pub fn digest_of(path: &str) -> Option<Digest> {
    let name = path.strip_prefix("./").unwrap_or(path).strip_prefix(DEBS)?.strip_prefix('/')?;
    name.strip_suffix(".deb")?.parse().ok()
}
