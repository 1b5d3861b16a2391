//! A tree of files in memory: what `render` makes and the engines build from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Files by path. Paths are relative, UTF-8, without `.` or `..`, and sort bytewise; parent folders are implied
/// (0755, root:root) unless they are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree(BTreeMap<String, Node>);

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub content: Content,
    /// Permission bits, at most 0o7777.
    pub mode: u32,
    /// User and group by name or number, as chown(1) takes them: known only inside the image.
    pub owner: String,
    pub group: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    File(#[serde(with = "bytes")] Vec<u8>),
    Symlink(String),
    Folder,
}

impl Node {
    pub fn file(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Content::File(bytes.into()), 0o644)
    }

    pub fn program(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Content::File(bytes.into()), 0o755)
    }

    pub fn symlink(target: impl Into<String>) -> Self {
        Self::new(Content::Symlink(target.into()), 0o777)
    }

    pub fn folder() -> Self {
        Self::new(Content::Folder, 0o755)
    }

    pub fn new(content: Content, mode: u32) -> Self {
        Node { content, mode, owner: "root".into(), group: "root".into() }
    }

    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    #[must_use]
    pub fn owned(mut self, owner: impl Into<String>, group: impl Into<String>) -> Self {
        self.owner = owner.into();
        self.group = group.into();
        self
    }
}

impl Tree {
    pub fn insert(&mut self, path: impl Into<String>, node: Node) {
        self.0.insert(path.into(), node);
    }

    pub fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The same entries with other permission bits.
    #[must_use]
    pub fn with_modes(mut self, change: impl Fn(u32) -> u32) -> Tree {
        self.0.values_mut().for_each(|node| node.mode = change(node.mode));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries below `folder`, with paths relative to it.
    #[must_use]
    pub fn below(&self, folder: &str) -> Tree {
        let prefix = format!("{folder}/");
        let entries =
            self.0.iter().filter_map(|(path, node)| Some((path.strip_prefix(&prefix)?.to_owned(), node.clone())));
        Tree(entries.collect())
    }

    /// The entries that `keep` accepts.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Tree {
        Tree(self.0.iter().filter(|(path, _)| keep(path)).map(|(p, n)| (p.clone(), n.clone())).collect())
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        let length = |node: &Node| if let Content::File(bytes) = &node.content { bytes.len() as u64 } else { 0 };
        self.0.values().map(length).sum()
    }

    pub fn digest(&self) -> Digest {
        Digest::of_value(self)
    }
}

impl Extend<(String, Node)> for Tree {
    fn extend<T: IntoIterator<Item = (String, Node)>>(&mut self, entries: T) {
        self.0.extend(entries);
    }
}

/// File contents as hexadecimal, so that a tree has one JSON form whatever its bytes are.
mod bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
