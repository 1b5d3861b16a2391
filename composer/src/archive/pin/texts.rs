//! The index texts of a resolve, each with the name of its archive.

use super::{LocalDeb, RUNTIME};
use crate::archive::control::Paragraph;
use crate::archive::index::{self, Package};
use crate::archive::state::State;
use crate::lock::types::LockedPackage;

/// Texts in Packages form; a package says by number which it came from.
#[derive(Debug, Default)]
pub struct Texts(Vec<(String, String)>);

impl Texts {
    pub fn of<'s>(states: impl Iterator<Item = &'s State>) -> Self {
        let named = |s: &'s State| s.indices.iter().map(|text| (s.locked.name.clone(), text.clone()));
        Texts(states.flat_map(named).collect())
    }

    pub fn add(&mut self, archive: &str, text: String) {
        self.0.push((archive.to_owned(), text));
    }

    /// Our own packages, as if an archive held them.
    pub fn add_runtime(&mut self, debs: &[LocalDeb]) {
        let text = debs.iter().map(|deb| entry(&deb.control, &deb.filename(), deb.size, &deb.sha256.to_string()));
        let text: String = text.collect();
        self.add(RUNTIME, text);
    }

    /// A locked package that no index has any more, from its own control file.
    pub fn add_kept(&mut self, locked: &LockedPackage, control: &Paragraph) {
        let text = entry(control, &locked.filename, locked.size, &locked.sha256.to_string());
        self.add(&locked.archive, text);
    }

    pub fn packages(&self) -> Vec<Package<'_>> {
        let mut packages = Vec::with_capacity(70_000);
        for (number, (_, text)) in self.0.iter().enumerate() {
            index::parse(text, number, &mut packages);
        }
        packages
    }

    pub fn archive(&self, number: usize) -> &str {
        self.0.get(number).map_or("", |(name, _)| name.as_str())
    }

    /// Which text our own packages are in.
    pub fn runtime(&self) -> Option<usize> {
        self.0.iter().position(|(name, _)| name == RUNTIME)
    }
}

fn entry(control: &Paragraph, filename: &str, size: u64, sha256: &str) -> String {
    let mut text = String::new();
    for (name, value) in control.iter().filter(|(name, _)| !matches!(*name, "Filename" | "Size" | "SHA256")) {
        text.push_str(&format!("{name}: {}\n", value.replace('\n', "\n ")));
    }
    text + &format!("Filename: {filename}\nSize: {size}\nSHA256: {sha256}\n\n")
}
