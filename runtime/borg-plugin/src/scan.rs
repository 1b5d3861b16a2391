//! Which plugins there are.

use std::collections::BTreeMap;

use rustix::fs::{Dir, FileType};

use crate::{Fingerprint, Folder, Kind, Manifest, Name};

/// A plugin as it lies in the folder, whether or not it can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of its file or folder. One that is no [`Name`] is shown without control characters, and the plugin is broken.
    pub name: String,
    pub kind: Kind,
    /// Another one means that the plugin changed.
    pub fingerprint: Fingerprint,
    /// Or why it cannot run: a line that names the file and the way out.
    pub manifest: Result<Manifest, String>,
}

/// What there is of a plugin.
#[derive(Debug, Default)]
struct Parts {
    python: bool,
    manifest: bool,
    folder: bool,
}

impl Folder {
    /// Every plugin, by name. Hidden files, and files that end neither in `.py` nor in `.json`, are none.
    pub fn scan(&self) -> Result<Vec<Found>, String> {
        let mut all: BTreeMap<String, Parts> = BTreeMap::new();
        let fault = |e: rustix::io::Errno| format!("the plugins' folder {}: {e}", self.path().display());
        for entry in Dir::read_from(&self.root).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            note(&mut all, &entry.file_name().to_string_lossy(), entry.file_type());
        }
        Ok(all.into_iter().map(|(stem, parts)| self.found(&stem, &parts)).collect())
    }

    /// The plugin `name`, found as [`Folder::scan`] finds it.
    pub fn find(&self, name: &Name) -> Result<Found, String> {
        let found = self.scan()?.into_iter().find(|found| found.name == name.as_str());
        found.ok_or_else(|| {
            let folder = self.path().display();
            format!("there is no plugin {name}: {folder} has neither {name}.py nor {name}/plugin.json")
        })
    }

    fn found(&self, stem: &str, parts: &Parts) -> Found {
        let kind = if parts.folder { Kind::Program } else { Kind::Python };
        let (manifest, fingerprint) = match stem.parse::<Name>() {
            Err(e) => (Err(e.to_string()), Fingerprint::default()),
            Ok(name) => {
                let manifest = parts.fault(&name).map_or_else(|| self.manifest(&name, kind), Err);
                let fingerprint = self.fingerprint(&name, kind, manifest.as_ref().ok());
                (manifest, fingerprint)
            }
        };
        Found { name: stem.escape_debug().to_string(), kind, fingerprint, manifest }
    }
}

impl Parts {
    /// Why these are not one plugin.
    fn fault(&self, name: &Name) -> Option<String> {
        match self {
            Parts { folder: true, python: true, .. } => {
                Some(format!("is there twice: as the folder {name} and as {name}.py; remove one"))
            }
            Parts { folder: true, manifest: true, .. } => {
                Some(format!("{name}.json: the folder {name} has a manifest of its own, plugin.json; remove one"))
            }
            Parts { folder: false, python: false, .. } => {
                Some(format!("{name}.json: is a manifest, and there is no {name}.py beside it"))
            }
            _ => None,
        }
    }
}

/// Adds what a file or folder of this name means.
fn note(all: &mut BTreeMap<String, Parts>, name: &str, kind: FileType) {
    if name.starts_with('.') || name == "__pycache__" {
        return;
    }
    if kind == FileType::Directory {
        all.entry(name.to_owned()).or_default().folder = true;
    } else if let Some(stem) = name.strip_suffix(".py") {
        all.entry(stem.to_owned()).or_default().python = true;
    } else if let Some(stem) = name.strip_suffix(".json") {
        all.entry(stem.to_owned()).or_default().manifest = true;
    } else if kind == FileType::Symlink {
        // Most likely meant to be a plugin's folder; it will be refused, not passed over.
        all.entry(name.to_owned()).or_default().folder = true;
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
