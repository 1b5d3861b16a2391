//! What changed between two locks, for people.

use std::collections::BTreeMap;
use std::fmt;

use super::types::{Lock, LockedPackage};

/// One package's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Added {
        name: String,
        version: String,
    },
    Removed {
        name: String,
        version: String,
    },
    /// Another version; or the same version with other bytes, which both versions then say.
    Changed {
        name: String,
        old: String,
        new: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Added { name, version } => write!(f, "+ {name} {version}"),
            Change::Removed { name, version } => write!(f, "- {name} {version}"),
            Change::Changed { name, old, new } => write!(f, "{name} {old} -> {new}"),
        }
    }
}

/// The changes from `old` to `new`: the target's packages by name, then the tools and the sysroot by name.
pub fn diff(old: &Lock, new: &Lock) -> Vec<Change> {
    let mut changes = of(&old.packages, &new.packages);
    changes.extend(of(&old.tools, &new.tools));
    changes.extend(of(&old.sysroot, &new.sysroot));
    changes
}

fn of(old: &[LockedPackage], new: &[LockedPackage]) -> Vec<Change> {
    let mut pairs: BTreeMap<&str, (Option<&LockedPackage>, Option<&LockedPackage>)> = BTreeMap::new();
    for package in old {
        pairs.entry(&package.name).or_default().0 = Some(package);
    }
    for package in new {
        pairs.entry(&package.name).or_default().1 = Some(package);
    }
    pairs.into_values().filter_map(|(old, new)| change(old, new)).collect()
}

fn change(old: Option<&LockedPackage>, new: Option<&LockedPackage>) -> Option<Change> {
    let parts = |p: &LockedPackage| (p.name.clone(), p.version.clone());
    match (old.map(parts), new.map(parts)) {
        (None, Some((name, version))) => Some(Change::Added { name, version }),
        (Some((name, version)), None) => Some(Change::Removed { name, version }),
        (Some((_, old)), Some((name, new))) if old != new => Some(Change::Changed { name, old, new }),
        _ => {
            let (old, new) = (old?, new?);
            let shown = |p: &LockedPackage| format!("{} ({})", p.version, p.sha256.short());
            (old.sha256 != new.sha256).then(|| Change::Changed {
                name: new.name.clone(),
                old: shown(old),
                new: shown(new),
            })
        }
    }
}
