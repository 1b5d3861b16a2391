//! All packages that could be installed, by name and by what they provide.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::archive::index::Package;
use crate::archive::relation::{self, Relation};
use crate::archive::version;

/// A package by its place in [`Universe::packages`].
pub type Id = u32;

/// Every candidate of every archive.
#[derive(Debug, Default)]
pub struct Universe<'a> {
    packages: Vec<Package<'a>>,
    /// Newest first; of equal versions the earlier archive's first, as apt has it.
    by_name: HashMap<&'a str, Vec<Id>>,
    providers: HashMap<&'a str, Vec<Provider<'a>>>,
}

#[derive(Debug, Clone, Copy)]
struct Provider<'a> {
    id: Id,
    version: Option<&'a str>,
}

impl<'a> Universe<'a> {
    /// Takes the packages of all archives; for names that `own` holds, only its packages count.
    pub fn new(packages: Vec<Package<'a>>, own: Option<usize>) -> Self {
        let mut universe = Universe { packages, ..Universe::default() };
        for (id, package) in (0..).zip(&universe.packages) {
            universe.by_name.entry(package.name).or_default().push(id);
        }
        for ids in universe.by_name.values_mut() {
            sort_candidates(ids, &universe.packages, own);
        }
        for (id, package) in (0..).zip(&universe.packages) {
            for provided in relation::list(package.provides).filter(|p| p.name != package.name) {
                let version = provided.version.map(|(_, v)| v);
                universe.providers.entry(provided.name).or_default().push(Provider { id, version });
            }
        }
        universe.drop_hidden_providers();
        universe
    }

    fn drop_hidden_providers(&mut self) {
        let (packages, by_name) = (&self.packages, &self.by_name);
        let name = |id: Id| packages.get(id as usize).map_or("", |p| p.name);
        for providers in self.providers.values_mut() {
            providers.retain(|p| by_name.get(name(p.id)).is_some_and(|ids| ids.contains(&p.id)));
        }
    }

    pub fn package(&self, id: Id) -> Option<&Package<'a>> {
        self.packages.get(id as usize)
    }

    pub fn name(&self, id: Id) -> &'a str {
        self.package(id).map_or("", |p| p.name)
    }

    /// The candidates of a name, the preferred one first.
    pub fn candidates(&self, name: &str) -> &[Id] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.by_name.keys().copied()
    }

    /// The universe's own copy of a name that is only provided.
    pub fn virtual_name(&self, name: &str) -> Option<&'a str> {
        self.providers.get_key_value(name).map(|(name, _)| *name)
    }

    pub fn packages(&self) -> &[Package<'a>] {
        &self.packages
    }

    /// Candidates of the relation's own name that satisfy it.
    pub fn real(&self, relation: &Relation<'_>) -> Vec<Id> {
        let fits = |id: &Id| self.package(*id).is_some_and(|p| relation.accepts(p.version));
        self.candidates(relation.name).iter().copied().filter(fits).collect()
    }

    /// Candidates of other names that provide what satisfies the relation: by name, the most important first.
    pub fn provided(&self, relation: &Relation<'_>) -> Vec<(&'a str, Vec<Id>)> {
        let mut names: BTreeMap<(u8, &'a str), Vec<Id>> = BTreeMap::new();
        for provider in self.providers.get(relation.name).map_or(&[][..], Vec::as_slice) {
            if let Some(package) = self.package(provider.id)
                && relation.accepts_provided(provider.version)
            {
                names.entry((importance(package.priority), package.name)).or_default().push(provider.id);
            }
        }
        let mut seen = HashSet::new();
        let merged = names.into_iter().filter(|((_, name), _)| seen.insert(*name)).map(|((_, name), _)| {
            let fits = |id: &Id| {
                let provides = |p: &Provider<'_>| p.id == *id && relation.accepts_provided(p.version);
                self.providers.get(relation.name).is_some_and(|all| all.iter().any(provides))
            };
            (name, self.candidates(name).iter().copied().filter(fits).collect())
        });
        merged.collect()
    }
}

/// Newest first, and each version once.
fn sort_candidates(ids: &mut Vec<Id>, packages: &[Package<'_>], own: Option<usize>) {
    let get = |id: &Id| packages.get(*id as usize);
    if own.is_some() && ids.iter().any(|id| get(id).map(|p| p.archive) == own) {
        ids.retain(|id| get(id).map(|p| p.archive) == own);
    }
    if ids.len() > 1 {
        let version = |id: &Id| get(id).map_or("", |p| p.version);
        // Stable: of equal versions the one that came first stays first.
        ids.sort_by(|a, b| version::compare(version(b), version(a)));
        ids.dedup_by(|a, b| get(a).map(|p| (p.version, p.sha256)) == get(b).map(|p| (p.version, p.sha256)));
    }
}

fn importance(priority: &str) -> u8 {
    match priority {
        "required" => 0,
        "important" => 1,
        "standard" => 2,
        "optional" => 3,
        _ => 4,
    }
}
