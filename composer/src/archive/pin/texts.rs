//! The packages of a resolve, each with the name of its archive.

use std::fmt::Write;

use super::{LocalDeb, RUNTIME};
use crate::archive::control::Paragraph;
use crate::archive::index::{self, Package};
use crate::archive::state::State;
use crate::lock::types::LockedPackage;

/// Parsed indices; a package says by number which archive it came from.
#[derive(Debug, Default)]
pub struct Texts<'s> {
    archives: Vec<&'s str>,
    pub packages: Vec<Package<'s>>,
}

impl<'s> Texts<'s> {
    pub fn of(states: &'s [State]) -> Self {
        let mut texts = Texts { packages: Vec::with_capacity(70_000), ..Texts::default() };
        for state in states {
            state.indices.iter().for_each(|text| texts.add(&state.locked.name, text));
        }
        texts
    }

    /// Parses `text`, in the form of a Packages file, as `archive`'s.
    pub fn add(&mut self, archive: &'s str, text: &'s str) {
        index::parse(text, self.archives.len(), &mut self.packages);
        self.archives.push(archive);
    }

    /// The packages of those archives only.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let packages = self.packages.iter().filter(|p| keep(self.archive(p.archive))).copied();
        Texts { archives: self.archives.clone(), packages: packages.collect() }
    }

    pub fn archive(&self, number: usize) -> &'s str {
        self.archives.get(number).copied().unwrap_or_default()
    }

    /// Which text our own packages are in.
    pub fn runtime(&self) -> Option<usize> {
        self.archives.iter().position(|name| *name == RUNTIME)
    }
}

/// Our own packages as an index.
pub fn runtime_text(debs: &[LocalDeb]) -> String {
    debs.iter().map(|deb| entry(&deb.control, &deb.filename, deb.size, &deb.sha256.to_string())).collect()
}

/// A locked package that no index has any more as an index, from its own control file.
pub fn kept_text(locked: &LockedPackage, control: &Paragraph) -> String {
    entry(control, &locked.filename, locked.size, &locked.sha256.to_string())
}

fn entry(control: &Paragraph, filename: &str, size: u64, sha256: &str) -> String {
    let mut text = String::new();
    for (name, value) in control.iter().filter(|(name, _)| !matches!(*name, "Filename" | "Size" | "SHA256")) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {}", value.replace('\n', "\n "));
    }
    let _ = write!(text, "Filename: {filename}\nSize: {size}\nSHA256: {sha256}\n\n");
    text
}
