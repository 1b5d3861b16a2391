//! What a plugin says about itself.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use borg_config::Permission;
use serde::Deserialize;

use crate::Kind;

/// What a plugin asks for, and how it is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// None for a Python plugin, which is started by the Python on board.
    pub command: Option<Command>,
    pub permissions: BTreeSet<Permission>,
}

/// An argument vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub program: Program,
    pub args: Vec<String>,
}

/// Where a plugin's program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A file in the plugin's folder: relative to it, without `.` and `..`.
    Own(PathBuf),
    /// The system's: an absolute path, or a name to look up.
    System(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    command: Option<Vec<String>>,
    #[serde(default)]
    permissions: BTreeSet<Permission>,
}

impl Manifest {
    /// Reads the manifest of a plugin of this kind. The error ends a sentence that begins with the manifest's path.
    pub fn parse(text: &[u8], kind: Kind) -> Result<Self, String> {
        let Written { command, permissions } = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        let command = match (kind, command) {
            (Kind::Python, None) => None,
            (Kind::Python, Some(_)) => {
                return Err("`command` is for a plugin that is a folder; remove it, or make one".into());
            }
            (Kind::Program, None) => {
                return Err("says not how it is started; add `\"command\": [\"./PROGRAM\"]`".into());
            }
            (Kind::Program, Some(words)) => Some(Command::parse(words)?),
        };
        Ok(Manifest { command, permissions })
    }
}

impl Command {
    fn parse(words: Vec<String>) -> Result<Self, String> {
        if words.iter().any(|word| word.contains('\0')) {
            return Err("a word of `command` has a NUL byte, which no program can be given".into());
        }
        let mut words = words.into_iter();
        let first = words.next().filter(|word| !word.is_empty());
        let program = Program::parse(&first.ok_or("`command` is empty; its first word is the program")?)?;
        Ok(Command { program, args: words.collect() })
    }
}

impl Program {
    fn parse(word: &str) -> Result<Self, String> {
        if let Some(own) = word.strip_prefix("./") {
            return inner(Path::new(own)).map(Program::Own).ok_or_else(|| {
                format!("`command`: {word} is no file of the plugin's folder; write ./ and a path without `..`")
            });
        }
        if word.contains('/') && !word.starts_with('/') {
            return Err(format!("`command`: {word} could be in two places; write ./{word} for the plugin's own file"));
        }
        Ok(Program::System(word.to_owned()))
    }
}

/// A path that stays below where it starts by its text alone.
fn inner(path: &Path) -> Option<PathBuf> {
    let mut kept = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => kept.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (kept != Path::new("")).then_some(kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn program(text: &str) -> Result<Manifest, String> {
        Manifest::parse(text.as_bytes(), Kind::Program)
    }

    #[test]
    fn a_python_plugin_may_ask_for_the_network_and_no_more() {
        let python = |text: &str| Manifest::parse(text.as_bytes(), Kind::Python);
        assert_eq!(python("{}").unwrap(), Manifest::default());
        let asked = python(r#"{"permissions": ["network", "network"]}"#).unwrap();
        assert_eq!(asked.permissions.into_iter().collect::<Vec<_>>(), [Permission::Network]);
        assert!(
            python(r#"{"command": ["./x"]}"#).unwrap_err().starts_with("`command` is for a plugin that is a folder")
        );
    }

    #[test]
    fn a_program_is_its_own_or_the_systems() {
        let parsed =
            |first: &str| program(&format!(r#"{{"command": ["{first}", "-v", ""]}}"#)).map(|m| m.command.unwrap());
        let own = parsed("./bin/./run").unwrap();
        assert_eq!((own.program, own.args), (Program::Own("bin/run".into()), vec!["-v".to_owned(), String::new()]));
        assert_eq!(parsed("node").unwrap().program, Program::System("node".into()));
        assert_eq!(parsed("/usr/bin/node").unwrap().program, Program::System("/usr/bin/node".into()));
        for (first, fault) in [
            ("./../x", "is no file of the plugin's folder"),
            ("./a/../../x", "is no file of the plugin's folder"),
            (".//etc/passwd", "is no file of the plugin's folder"),
            ("./", "is no file of the plugin's folder"),
            ("../x", "could be in two places"),
            ("bin/run", "could be in two places; write ./bin/run"),
            ("", "`command` is empty"),
            ("a\\u0000", "has a NUL byte"),
        ] {
            let error = parsed(first).unwrap_err();
            assert!(error.contains(fault), "{first}: {error}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (text, fault) in [
            (r#"{"command": ["x"], "env": {}}"#, "unknown field `env`, expected `command` or `permissions`"),
            (r#"{"command": ["x"], "permissions": ["files"]}"#, "unknown variant `files`, expected `network`"),
            ("{}", "says not how it is started"),
            (r#"{"command": []}"#, "`command` is empty"),
            ("[", "EOF while parsing"),
        ] {
            let error = program(text).unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_a_fault(text in prop::collection::vec(any::<u8>(), 0..200)) {
            for kind in [Kind::Python, Kind::Program] {
                let _ = Manifest::parse(&text, kind);
            }
        }

        #[test]
        fn a_program_of_its_own_is_below_its_folder(word in "[./a-c]{0,12}") {
            let text = serde_json::json!({ "command": [word] }).to_string();
            if let Ok(Manifest { command: Some(Command { program: Program::Own(path), .. }), .. }) = program(&text) {
                prop_assert!(path.components().count() > 0);
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }
}
