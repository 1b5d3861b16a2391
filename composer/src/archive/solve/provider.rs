//! Puts Debian's relations into the solver's terms.
//!
//! A version set is a list of candidates of one name: `Depends: a | b` becomes the union of the sets of `a`, of `a`'s
//! providers by name, and of `b`; `Conflicts: c` becomes the set of `c`'s candidates that are allowed beside.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Requirement, SolvableId, SolverCache, StringId,
    VersionSetId, VersionSetUnionId,
};

use super::Favored;
use super::universe::{Id, Universe};
use crate::archive::index::Package;
use crate::archive::relation::{self, Relation};
use crate::interrupt;

pub struct Provider<'u, 'a> {
    universe: &'u Universe<'a>,
    /// What an earlier lock had: tried before anything newer.
    favored: &'u Favored<'u>,
    tables: RefCell<Tables<'a>>,
}

#[derive(Default)]
struct Tables<'a> {
    names: Vec<&'a str>,
    name_ids: HashMap<&'a str, u32>,
    sets: Vec<Set>,
    set_ids: HashMap<(u32, Vec<Id>), u32>,
    unions: Vec<Vec<VersionSetId>>,
}

struct Set {
    name: u32,
    members: Vec<Id>,
    shown: String,
}

impl<'a> Tables<'a> {
    fn name(&mut self, name: &'a str) -> u32 {
        *self.name_ids.entry(name).or_insert_with(|| push(&mut self.names, name))
    }

    fn set(&mut self, name: &'a str, members: Vec<Id>, shown: impl FnOnce() -> String) -> VersionSetId {
        let name = self.name(name);
        let id = self.set_ids.entry((name, members)).or_insert_with_key(|(_, members)| {
            push(&mut self.sets, Set { name, members: members.clone(), shown: shown() })
        });
        VersionSetId(*id)
    }

    fn requirement(&mut self, mut sets: Vec<VersionSetId>) -> ConditionalRequirement {
        let requirement = match (sets.len(), sets.pop()) {
            (1, Some(only)) => Requirement::Single(only),
            (_, last) => {
                sets.extend(last);
                Requirement::Union(VersionSetUnionId(push(&mut self.unions, sets)))
            }
        };
        requirement.into()
    }
}

/// Appends and says where; indices beyond 4 billion cannot be reached by an index of bounded size.
fn push<T>(all: &mut Vec<T>, item: T) -> u32 {
    all.push(item);
    u32::try_from(all.len() - 1).unwrap_or(u32::MAX)
}

impl<'u, 'a> Provider<'u, 'a> {
    pub fn new(universe: &'u Universe<'a>, favored: &'u Favored<'u>) -> Self {
        Provider { universe, favored, tables: RefCell::default() }
    }

    /// The requirement that one of `alternatives` be there, the first preferred, real packages before providers.
    pub fn require(&self, alternatives: &[Relation<'a>]) -> ConditionalRequirement {
        let mut tables = self.tables.borrow_mut();
        let mut sets = Vec::new();
        for relation in alternatives {
            let real = self.universe.real(relation);
            if !real.is_empty() {
                sets.push(tables.set(relation.name, real, || shown(relation)));
            }
            for (name, ids) in self.universe.provided(relation) {
                sets.push(tables.set(name, ids, || format!("(provides {relation})")));
            }
        }
        if sets.is_empty() {
            // Nothing satisfies it: an empty set of the first name makes that readable.
            let relation = alternatives.first();
            let name = relation.map_or("(a package of another architecture)", |r| r.name);
            sets.push(tables.set(name, Vec::new(), || relation.map(shown).unwrap_or_default()));
        }
        tables.requirement(sets)
    }

    fn dependencies(&self, package: &Package<'a>) -> KnownDependencies {
        let fields = [package.pre_depends, package.depends];
        let requirements = fields.into_iter().flat_map(relation::groups).map(|group| self.require(&group)).collect();
        let fields = [package.conflicts, package.breaks];
        let constrains = fields.into_iter().flat_map(relation::list).flat_map(|r| self.forbid(package, &r)).collect();
        KnownDependencies { requirements, constrains }
    }

    /// What may stand beside a package that conflicts with `relation`.
    fn forbid(&self, package: &Package<'a>, relation: &Relation<'a>) -> Vec<VersionSetId> {
        let mut forbidden = vec![(relation.name, self.universe.real(relation))];
        forbidden.extend(self.universe.provided(relation));
        let mut tables = self.tables.borrow_mut();
        // A package does not conflict with itself, also not by what it provides (Policy 7.4).
        let others = forbidden.into_iter().filter(|(name, ids)| *name != package.name && !ids.is_empty());
        let sets = others.map(|(name, ids)| {
            let allowed = self.universe.candidates(name).iter().copied().filter(|id| !ids.contains(id)).collect();
            tables.set(name, allowed, || format!("(not {relation})"))
        });
        sets.collect()
    }

    fn with_set<T: Default>(&self, id: VersionSetId, take: impl FnOnce(&Set) -> T) -> T {
        self.tables.borrow().sets.get(id.0 as usize).map(take).unwrap_or_default()
    }
}

fn shown(relation: &Relation<'_>) -> String {
    let text = relation.to_string();
    text.strip_prefix(relation.name).unwrap_or_default().trim_start().to_owned()
}

impl Interner for Provider<'_, '_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        let package = self.universe.package(solvable.into_raw());
        package.map(|p| format!("{} {}", p.name, p.version)).unwrap_or_default()
    }

    /// The default would put the name before what has it already.
    fn display_merged_solvables(&self, solvables: &[SolvableId]) -> impl Display + '_ {
        let shown: Vec<String> = solvables.iter().map(|s| self.display_solvable(*s).to_string()).collect();
        shown.join(" | ")
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.tables.borrow().names.get(name.into_raw() as usize).copied().unwrap_or_default()
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        self.with_set(version_set, |set| set.shown.clone())
    }

    fn display_string(&self, _: StringId) -> impl Display + '_ {
        ""
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        NameId::from_raw(self.with_set(version_set, |set| set.name))
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        NameId::from_raw(self.tables.borrow_mut().name(self.universe.name(solvable.into_raw())))
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.tables.borrow().unions.get(union.0 as usize).cloned().unwrap_or_default().into_iter()
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        // Debian has no conditional dependencies, so none is ever made.
        Condition::Requirement(VersionSetId(condition.as_u32()))
    }
}

impl DependencyProvider for Provider<'_, '_> {
    fn should_cancel_with_value(&self) -> Option<Box<dyn Any>> {
        interrupt::asked().then(|| Box::new(()) as Box<dyn Any>)
    }

    async fn filter_candidates(&self, candidates: &[SolvableId], set: VersionSetId, inverse: bool) -> Vec<SolvableId> {
        self.with_set(set, |set| {
            candidates.iter().copied().filter(|c| set.members.contains(&c.into_raw()) != inverse).collect()
        })
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let name = self.tables.borrow().names.get(name.into_raw() as usize).copied()?;
        let ids = self.universe.candidates(name);
        Some(Candidates {
            candidates: ids.iter().map(|id| SolvableId::from_raw(*id)).collect(),
            favored: self.favored.get(name).map(|id| SolvableId::from_raw(*id)),
            hint_dependencies_available: HintDependenciesAvailable::None,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        // Candidates of one name were sorted once, when the universe was made.
        let place = |s: &SolvableId| {
            let id = s.into_raw();
            self.universe.candidates(self.universe.name(id)).iter().position(|c| *c == id)
        };
        solvables.sort_by_key(place);
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let package = self.universe.package(solvable.into_raw());
        Dependencies::Known(package.map(|p| self.dependencies(p)).unwrap_or_default())
    }
}
