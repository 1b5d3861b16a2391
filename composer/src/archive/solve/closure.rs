//! What a package brought with it, in a chosen set.

use std::collections::{HashMap, HashSet};

use super::universe::{Id, Universe};
use crate::archive::relation::{self, Relation};

/// A solved set, to be walked along its dependencies.
pub struct Chosen<'u, 'a> {
    universe: &'u Universe<'a>,
    by_name: HashMap<&'a str, Id>,
    set: HashSet<Id>,
}

impl<'u, 'a> Chosen<'u, 'a> {
    pub fn new(universe: &'u Universe<'a>, ids: &[Id]) -> Self {
        let by_name = ids.iter().map(|id| (universe.name(*id), *id)).collect();
        Chosen { universe, by_name, set: ids.iter().copied().collect() }
    }

    /// The chosen packages among `roots` and all that they depend on: of alternatives, the first that was chosen.
    pub fn closure<'r>(&self, roots: impl IntoIterator<Item = &'r str>) -> HashSet<Id> {
        let mut found = HashSet::new();
        let mut todo: Vec<Id> =
            roots.into_iter().filter_map(|name| self.satisfier(&Relation { name, version: None })).collect();
        while let Some(id) = todo.pop() {
            if found.insert(id) {
                todo.extend(self.needs(id));
            }
        }
        found
    }

    fn needs(&self, id: Id) -> Vec<Id> {
        let Some(package) = self.universe.package(id) else { return Vec::new() };
        let groups = [package.pre_depends, package.depends].into_iter().flat_map(relation::groups);
        groups.filter_map(|group| group.iter().find_map(|r| self.satisfier(r))).collect()
    }

    fn satisfier(&self, relation: &Relation<'_>) -> Option<Id> {
        let real = self.by_name.get(relation.name).copied();
        let fits = |id: &Id| self.universe.package(*id).is_some_and(|p| relation.accepts(p.version));
        real.filter(fits).or_else(|| {
            let mut provided = self.universe.provided(relation).into_iter().flat_map(|(_, ids)| ids);
            provided.find(|id| self.set.contains(id))
        })
    }
}
