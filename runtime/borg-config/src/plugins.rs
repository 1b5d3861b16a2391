//! Which plugins may do more than their sandbox lets them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the composer writes [`Plugins`], as JSON.
pub const PLUGINS_PATH: &str = "/etc/borg/plugins.json";

/// Where plugins lie, and what the profile grants them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    pub folder: PathBuf,
    /// By the plugin's name.
    #[serde(default)]
    pub grants: BTreeMap<String, Vec<Permission>>,
}

impl Plugins {
    /// Whether the profile grants this to the plugin `name`.
    pub fn grants(&self, name: &str, permission: Permission) -> bool {
        self.grants.get(name).is_some_and(|granted| granted.contains(&permission))
    }
}

/// What a plugin can ask for in its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// To reach other machines.
    Network,
}

/// As it is written in a manifest.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Permission::Network => "network",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::parse;

    #[test]
    fn a_grant_is_for_one_plugin() {
        let text = br#"{"folder": "/opt/borgos/plugins", "grants": {"weather": ["network"], "idle": []}}"#;
        let plugins: Plugins = parse(text, Path::new(PLUGINS_PATH)).unwrap();
        assert!(plugins.grants("weather", Permission::Network));
        assert!(!plugins.grants("idle", Permission::Network));
        assert!(!plugins.grants("hello", Permission::Network));
    }

    #[test]
    fn a_permission_that_there_is_not_is_named() {
        let text = br#"{"folder": "/x", "grants": {"weather": ["internet"]}}"#;
        let error = parse::<Plugins>(text, Path::new("p.json")).unwrap_err().to_string();
        assert!(error.starts_with("p.json: unknown variant `internet`, expected `network`"), "{error}");
        let written = serde_json::to_string(&Permission::Network).unwrap();
        assert_eq!(written, format!("\"{}\"", Permission::Network));
    }
}
