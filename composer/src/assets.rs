//! The templates, units and medium skeleton: embedded, and overridden by folders of the same name.

#![allow(clippy::disallowed_methods, reason = "an edge: reads what a checkout lays over the embedded assets")]

use std::collections::BTreeMap;
use std::path::Path;

use rust_embed::RustEmbed;

use crate::error::{Error, Result};
use crate::{Digest, regular};

#[derive(RustEmbed)]
#[folder = "../templates"]
#[exclude = ".*"]
#[exclude = "*/.*"]
#[exclude = "*~"]
struct Templates;

#[derive(RustEmbed)]
#[folder = "../units"]
#[exclude = ".*"]
#[exclude = "*/.*"]
#[exclude = "*~"]
struct Units;

#[derive(RustEmbed)]
#[folder = "../iso"]
#[exclude = ".*"]
#[exclude = "*/.*"]
#[exclude = "*~"]
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

    /// Lays the files of a folder over these, but what editors leave there: `.#x`, `.x.swp`, `x~`.
    fn overlay(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
            let entry = entry.map_err(|e| unreadable(folder, &e))?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let name = format!("{prefix}/{name}");
            // A link to a folder is none: it may lead back.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.overlay(&path, &name)?;
            } else {
                self.0.insert(name, regular::read(&path).map_err(|e| unreadable(&path, &e))?);
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

fn unreadable(path: &Path, e: &std::io::Error) -> Error {
    Error::input(format!("cannot read {}, which would be part of the image", path.display()))
        .because(e)
        .help("make it a readable file, remove it, or run this in another folder: `units`, `templates` and `iso` are looked for here")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_editors_leave_is_no_asset() {
        let folder = tempfile::tempdir().unwrap();
        let unit = folder.path().join("units/x");
        fs::create_dir_all(unit.join(".hidden")).unwrap();
        fs::write(unit.join("service.yaml"), "summary: x\n").unwrap();
        fs::write(unit.join(".hidden/file"), "x").unwrap();
        fs::write(unit.join("service.yaml~"), "x").unwrap();
        fs::write(unit.join(".service.yaml.swp"), "x").unwrap();
        symlink("somebody@desk.1:2", unit.join(".#service.yaml")).unwrap();
        let assets = Assets::load(folder.path()).unwrap();
        assert_eq!(assets.below("units/x/").map(|(path, _)| path).collect::<Vec<_>>(), ["units/x/service.yaml"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for target in ["..", "/dev/null", "nowhere", "loop"] {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("units")).unwrap();
            symlink(target, folder.path().join("units/loop")).unwrap();
            let error = Assets::load(folder.path()).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::Input);
            assert!(error.to_string().contains("units/loop") && error.help_text().is_some(), "{error}");
        }
    }
}
