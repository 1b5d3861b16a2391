//! All packages that could be installed, by name and by what they provide.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::archive::index::Package;
use crate::archive::relation::{self, Relation};
use crate::archive::version;

/// A package by its place in [`Universe::packages`].
pub type Id = u32;

/// Every candidate of every archive, in sorted tables: a resolve looks up few of 70,000 names, so that making hash
/// maps of all would cost more than it gains.
#[derive(Debug, Default)]
pub struct Universe<'a> {
    packages: Vec<Package<'a>>,
    /// By name; of one name the newest first, and of equal versions the earlier archive's, as apt has it.
    order: Vec<Id>,
    /// By the name that is provided.
    provided: Vec<Provider<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Provider<'a> {
    name: &'a str,
    id: Id,
    version: Option<&'a str>,
}

impl<'a> Universe<'a> {
    /// Takes the packages of all archives; for names that `own` holds, only its packages count.
    pub fn new(packages: Vec<Package<'a>>, own: Option<usize>) -> Self {
        let order = sorted(&packages, own);
        let mut provided = Vec::new();
        for id in &order {
            let Some(package) = packages.get(*id as usize).filter(|p| !p.provides.is_empty()) else { continue };
            for relation in relation::list(package.provides).filter(|p| p.name != package.name) {
                let version = relation.version.map(|(_, v)| v);
                provided.push(Provider { name: relation.name, id: *id, version });
            }
        }
        provided.sort_by_key(|p| p.name);
        Universe { packages, order, provided }
    }

    pub fn package(&self, id: Id) -> Option<&Package<'a>> {
        self.packages.get(id as usize)
    }

    pub fn packages(&self) -> &[Package<'a>] {
        &self.packages
    }

    pub fn name(&self, id: Id) -> &'a str {
        self.package(id).map_or("", |p| p.name)
    }

    /// The candidates of a name, the preferred one first.
    pub fn candidates(&self, name: &str) -> &[Id] {
        equal(&self.order, |id| self.name(*id).cmp(name))
    }

    fn providers(&self, name: &str) -> &[Provider<'a>] {
        equal(&self.provided, |p| p.name.cmp(name))
    }

    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.order.iter().map(|id| self.name(*id))
    }

    /// The universe's own copy of a name that is only provided.
    pub fn virtual_name(&self, name: &str) -> Option<&'a str> {
        self.providers(name).first().map(|p| p.name)
    }

    /// Candidates of the relation's own name that satisfy it.
    pub fn real(&self, relation: &Relation<'_>) -> Vec<Id> {
        let fits = |id: &Id| self.package(*id).is_some_and(|p| relation.accepts(p.version));
        self.candidates(relation.name).iter().copied().filter(fits).collect()
    }

    /// Candidates of other names that provide what satisfies the relation: by name, the most important first.
    pub fn provided(&self, relation: &Relation<'_>) -> Vec<(&'a str, Vec<Id>)> {
        let fits = self.providers(relation.name).iter().filter(|p| relation.accepts_provided(p.version));
        let mut names: Vec<(&'a str, Vec<Id>)> = Vec::new();
        for provider in fits {
            let name = self.name(provider.id);
            // Providers of one name lie together, newest first.
            match names.last_mut() {
                Some((last, ids)) if *last == name => {
                    if !ids.contains(&provider.id) {
                        ids.push(provider.id);
                    }
                }
                _ => names.push((name, vec![provider.id])),
            }
        }
        let priority =
            |ids: &[Id]| ids.first().and_then(|id| self.package(*id)).map_or(u8::MAX, |p| importance(p.priority));
        names.sort_by_key(|(_, ids)| priority(ids));
        names
    }
}

/// The part of a sorted table that compares equal.
fn equal<T>(table: &[T], compare: impl Fn(&T) -> Ordering) -> &[T] {
    let start = table.partition_point(|item| compare(item).is_lt());
    let rest = table.get(start..).unwrap_or_default();
    rest.get(..rest.partition_point(|item| compare(item).is_eq())).unwrap_or_default()
}

/// All candidates by name, newest first, each version once.
fn sorted(packages: &[Package<'_>], own: Option<usize>) -> Vec<Id> {
    let get = |id: &Id| packages.get(*id as usize);
    let name = |id: &Id| get(id).map_or("", |p| p.name);
    let version = |id: &Id| get(id).map_or("", |p| p.version);
    let mut order: Vec<Id> = (0..).zip(packages).map(|(id, _)| id).collect();
    // Stable: of equal versions the one that came first stays first.
    order.sort_by(|a, b| name(a).cmp(name(b)).then_with(|| version::compare(version(b), version(a))));
    order.dedup_by(|a, b| {
        get(a).map(|p| (p.name, p.version, p.sha256)) == get(b).map(|p| (p.name, p.version, p.sha256))
    });
    if own.is_some() {
        let ours: HashSet<&str> = packages.iter().filter(|p| Some(p.archive) == own).map(|p| p.name).collect();
        order.retain(|id| !ours.contains(name(id)) || get(id).map(|p| p.archive) == own);
    }
    order
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
