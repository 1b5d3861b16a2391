//! Whether a plugin may run.

use borg_config::{Permission, Plugins};

use crate::{Found, Manifest};

/// What becomes of a plugin that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It may be started.
    Ready(&'a Manifest),
    /// It cannot be started, and why.
    Broken(&'a str),
    /// It asks for what the profile does not grant.
    Refused(String),
}

impl Found {
    pub fn standing(&self, config: &Plugins) -> Standing<'_> {
        match &self.manifest {
            Err(why) => Standing::Broken(why),
            Ok(manifest) => refusal(&self.name, manifest, config).map_or(Standing::Ready(manifest), Standing::Refused),
        }
    }
}

/// What the plugin `name` asks for in vain.
pub fn refusal(name: &str, manifest: &Manifest, config: &Plugins) -> Option<String> {
    let denied = |asked: &&Permission| !config.grants(name, **asked);
    manifest.permissions.iter().find(denied).map(|asked| {
        format!(
            "asks for {asked}, which the profile does not grant: add `{{ plugin: {name}, permissions: [{asked}] }}` to \
             the `grants` of its service `plugins`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fingerprint, Kind};

    fn config() -> Plugins {
        Plugins {
            folder: "/x".into(),
            grants: [("weather".to_owned(), vec![Permission::Network])].into_iter().collect(),
        }
    }

    fn found(name: &str, manifest: Result<Manifest, String>) -> Found {
        Found { name: name.into(), kind: Kind::Python, fingerprint: Fingerprint::default(), manifest }
    }

    fn asking() -> Manifest {
        Manifest { command: None, permissions: [Permission::Network].into() }
    }

    #[test]
    fn what_is_asked_for_must_be_granted_to_the_same_plugin() {
        assert_eq!(found("weather", Ok(asking())).standing(&config()), Standing::Ready(&asking()));
        assert_eq!(found("hello", Ok(Manifest::default())).standing(&config()), Standing::Ready(&Manifest::default()));
        assert_eq!(
            found("hello", Ok(asking())).standing(&config()),
            Standing::Refused(
                "asks for network, which the profile does not grant: add `{ plugin: hello, permissions: [network] }` to \
                 the `grants` of its service `plugins`"
                    .into()
            )
        );
    }

    #[test]
    fn a_broken_one_is_no_question_of_grants() {
        assert_eq!(found("weather", Err("no".into())).standing(&config()), Standing::Broken("no"));
    }
}
