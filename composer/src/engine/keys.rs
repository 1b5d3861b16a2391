//! Keys: a layer is named by everything that went into it, and a new key says what made it new.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::lock::Lock;
use crate::profile::types::Compression;

/// Changed whenever the engine itself makes other bytes from the same inputs.
const ENGINE: &str = "9";

/// What went into a layer, by name: `package jq` -> the .deb's digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs(BTreeMap<String, String>);

impl Inputs {
    /// What every layer depends on: the engine, the tools that it works with, the epoch and the compression.
    pub fn of(lock: &Lock, compression: Compression) -> Self {
        let tools: Vec<_> = lock.tools.iter().filter(|t| t.group.as_deref() == Some("build")).collect();
        let tools: Vec<_> = tools.iter().map(|t| (&t.name, &t.sha256)).collect();
        let mut inputs = Inputs(BTreeMap::from([("engine".to_owned(), ENGINE.to_owned())]));
        inputs.add("tools", Digest::of_value(&tools));
        inputs.add("epoch", lock.epoch);
        inputs.add("compression", format!("{compression:?}"));
        inputs
    }

    pub fn add(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.insert(name.into(), value.to_string());
    }

    pub fn key(&self) -> Digest {
        Digest::of_value(&self.0)
    }

    /// Why a layer with these inputs is not the one made from `before`: at most three reasons, in words.
    pub fn why(&self, before: Option<&Inputs>) -> String {
        let Some(before) = before else { return "made for the first time".into() };
        let added = self.0.keys().filter(|k| !before.0.contains_key(*k)).map(|k| format!("{k} added"));
        let removed = before.0.keys().filter(|k| !self.0.contains_key(*k)).map(|k| format!("{k} removed"));
        let changed = self
            .0
            .iter()
            .filter(|(k, v)| before.0.get(*k).is_some_and(|b| b != *v))
            .map(|(k, _)| format!("{k} changed"));
        let reasons: Vec<String> = added.chain(removed).chain(changed).collect();
        match reasons.len() {
            0 => "not in the store any more".into(),
            1..=3 => reasons.join(", "),
            n => format!("{} and {} more", reasons[..3].join(", "), n - 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(pairs: &[(&str, &str)]) -> Inputs {
        let mut inputs = Inputs::default();
        for (name, value) in pairs {
            inputs.add(*name, *value);
        }
        inputs
    }

    #[test]
    fn says_what_changed() {
        let before = inputs(&[("package jq", "1"), ("package nginx", "1")]);
        let after = inputs(&[("package nginx", "2"), ("package curl", "1")]);
        assert_eq!(after.why(Some(&before)), "package curl added, package jq removed, package nginx changed");
        assert_eq!(after.why(None), "made for the first time");
        assert_eq!(after.why(Some(&after)), "not in the store any more");
    }

    #[test]
    fn the_key_depends_on_each_input() {
        assert_ne!(inputs(&[("a", "1")]).key(), inputs(&[("a", "2")]).key());
        assert_ne!(inputs(&[("a", "1")]).key(), inputs(&[("b", "1")]).key());
    }
}
