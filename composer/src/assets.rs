//! The templates, units and medium skeleton: embedded, and overridden by folders of the same name.

#![allow(clippy::disallowed_methods, reason = "an edge: reads what a checkout lays over the embedded assets")]

use std::collections::BTreeMap;
use std::path::Path;

use rust_embed::RustEmbed;

use crate::Digest;
use crate::error::{IoContext, Result};

#[derive(RustEmbed)]
#[folder = "../templates"]
struct Templates;

#[derive(RustEmbed)]
#[folder = "../units"]
struct Units;

#[derive(RustEmbed)]
#[folder = "../iso"]
struct Iso;

/// Every asset by path: `units/nginx/service.yaml`, `templates/…`, `iso/…`.
#[derive(Debug, Clone, Default)]
pub struct Assets(BTreeMap<String, Vec<u8>>);

impl FromIterator<(String, Vec<u8>)> for Assets {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(files: I) -> Self {
        Assets(files.into_iter().collect())
    }
}

impl Assets {
    pub fn embedded() -> Self {
        let mut assets = Assets::default();
        assets.embed::<Templates>("templates");
        assets.embed::<Units>("units");
        assets.embed::<Iso>("iso");
        assets
    }

    /// The embedded assets, with the files of `templates`, `units` and `iso` below `folder` put over them.
    pub fn load(folder: &Path) -> Result<Self> {
        let mut assets = Self::embedded();
        for name in ["templates", "units", "iso"] {
            let place = folder.join(name);
            if place.is_dir() {
                assets.overlay(&place, name)?;
            }
        }
        Ok(assets)
    }

    fn embed<E: RustEmbed>(&mut self, prefix: &str) {
        for path in E::iter() {
            if let Some(file) = E::get(&path) {
                self.0.insert(format!("{prefix}/{path}"), file.data.into_owned());
            }
        }
    }

    fn overlay(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in std::fs::read_dir(folder).at("read", folder)? {
            let entry = entry.at("read", folder)?;
            let path = entry.path();
            let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                self.overlay(&path, &name)?;
            } else {
                self.0.insert(name, std::fs::read(&path).at("read", &path)?);
            }
        }
        Ok(())
    }

    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Assets whose path starts with `prefix`, in bytewise order.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0
            .iter()
            .filter(move |(path, _)| path.starts_with(prefix))
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    pub fn digest(&self) -> Digest {
        let files: BTreeMap<&str, Digest> =
            self.0.iter().map(|(path, bytes)| (path.as_str(), Digest::of(bytes))).collect();
        Digest::of_value(&files)
    }
}
