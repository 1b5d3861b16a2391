//! Chooses packages: the newest of each name, the first of alternatives, nothing that conflicts.

mod closure;
mod provider;
#[cfg(test)]
#[allow(clippy::missing_panics_doc)]
pub mod tests;
mod universe;

use std::collections::HashMap;
use std::fmt;

use resolvo::{Problem, Solver, UnsolvableOrCancelled};

use super::relation::Relation;
use crate::Error;
use crate::spec::types::{Origin, Wanted};
use provider::Provider;

pub use closure::Chosen;
pub use universe::{Id, Universe};

/// Candidates by name that are tried before newer ones: what an earlier lock had.
pub type Favored<'f> = HashMap<&'f str, Id>;

/// A wish that cannot be met, and whose it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsolvable {
    pub message: String,
    /// What stands in the way, a line a step; empty if the message says it all.
    pub reasons: String,
    pub origin: Origin,
    pub help: Option<String>,
}

impl fmt::Display for Unsolvable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Unsolvable {}

impl From<Unsolvable> for Error {
    fn from(e: Unsolvable) -> Self {
        let mut error = Error::input(e.message);
        if !e.reasons.is_empty() {
            error = error.detail(e.reasons);
        }
        match e.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

/// Chooses packages that satisfy all of `wishes`; `favored` candidates are kept where possible. Sorted by name.
pub fn solve(universe: &Universe<'_>, wishes: &[Wanted], favored: &Favored<'_>) -> Result<Vec<Id>, Unsolvable> {
    for wish in wishes {
        known(universe, wish)?;
    }
    match attempt(universe, wishes, favored) {
        Ok(ids) => Ok(ids),
        Err(_) => Err(culprit(universe, wishes, favored)),
    }
}

fn attempt(universe: &Universe<'_>, wishes: &[Wanted], favored: &Favored<'_>) -> Result<Vec<Id>, String> {
    let provider = Provider::new(universe, favored);
    let relations = wishes.iter().map(|w| Relation { name: interned(universe, &w.name), version: None });
    let requirements = relations.map(|r| provider.require(&[r])).collect();
    let mut solver = Solver::new(provider);
    let outcome = solver.solve(Problem::new().requirements(requirements)).map_err(|e| match e {
        UnsolvableOrCancelled::Unsolvable(conflict) => conflict.display_user_friendly(&solver).to_string(),
        UnsolvableOrCancelled::Cancelled(_) => "cancelled".to_owned(),
    });
    let mut ids: Vec<Id> = outcome?.into_iter().map(resolvo::SolvableId::into_raw).collect();
    ids.sort_by_key(|id| universe.name(*id));
    Ok(ids)
}

/// The universe's own copy of a name, which lives as long as the universe.
fn interned<'a>(universe: &Universe<'a>, name: &str) -> &'a str {
    let real = universe.candidates(name).first().map(|id| universe.name(*id));
    real.or_else(|| universe.virtual_name(name)).unwrap_or_default()
}

/// Refuses names that nobody has, and virtual packages that leave the choice open, as apt-get does.
fn known(universe: &Universe<'_>, wish: &Wanted) -> Result<(), Unsolvable> {
    if !universe.candidates(&wish.name).is_empty() {
        return Ok(());
    }
    let providers = universe.provided(&Relation { name: &wish.name, version: None });
    let (message, help) = match providers.as_slice() {
        [_] => return Ok(()),
        [] => {
            let near = similar(universe.names(), &wish.name).map(|name| format!("did you mean `{name}`?"));
            (format!("the package `{}` does not exist in the profile's archives", wish.name), near)
        }
        many => {
            let names: Vec<&str> = many.iter().map(|(name, _)| *name).take(8).collect();
            let message = format!("`{}` is a virtual package, which several packages provide", wish.name);
            (message, Some(format!("choose one: {}", names.join(", "))))
        }
    };
    Err(Unsolvable { message, reasons: String::new(), origin: wish.by.clone(), help })
}

/// The first wish that cannot be met beside those before it.
fn culprit(universe: &Universe<'_>, wishes: &[Wanted], favored: &Favored<'_>) -> Unsolvable {
    let fails = |count: usize| attempt(universe, wishes.get(..count).unwrap_or_default(), favored).err();
    let (mut good, mut bad) = (0, wishes.len());
    while bad - good > 1 {
        let middle = usize::midpoint(good, bad);
        if fails(middle).is_some() {
            bad = middle;
        } else {
            good = middle;
        }
    }
    let reasons = fails(bad).unwrap_or_default().trim_end().to_owned();
    let (name, origin) =
        wishes.get(bad.saturating_sub(1)).map_or(("", Origin::Composer), |w| (w.name.as_str(), w.by.clone()));
    let alone = wishes.get(bad.saturating_sub(1)..bad).is_some_and(|w| attempt(universe, w, favored).is_err());
    let message = if alone {
        format!("the package `{name}` cannot be installed")
    } else {
        format!("the package `{name}` cannot be installed together with the others")
    };
    let help = Some("remove one of the packages that exclude each other".to_owned());
    Unsolvable { message, reasons, origin, help: if alone { None } else { help } }
}

/// The nearest of `names`, if one is near enough to be a slip of the pen.
pub fn similar<'n>(names: impl Iterator<Item = &'n str>, wanted: &str) -> Option<&'n str> {
    let limit = if wanted.len() <= 4 { 1 } else { 2 };
    let near = names.filter(|name| name.len().abs_diff(wanted.len()) <= limit);
    let scored = near.map(|name| (strsim::osa_distance(name, wanted), name));
    scored.filter(|(distance, _)| *distance <= limit).min().map(|(_, name)| name)
}
