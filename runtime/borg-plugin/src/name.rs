//! What a plugin is called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in characters.
const LONGEST: usize = 32;

/// A plugin's name: `[a-z][a-z0-9_-]{0,31}`. It can be a file's name, an argument and a part of a tool's name as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A text that cannot be a plugin's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be a plugin's name: it has up to 32 of a-z, 0-9, `_` and `-`, and begins with a letter; rename it"
)]
pub struct NameError(String);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the Python plugin whose file is called so.
    pub fn of_python(file: &str) -> Result<Self, NameError> {
        file.strip_suffix(".py").ok_or_else(|| NameError(file.to_owned()))?.parse()
    }

    /// The file of a Python plugin.
    pub fn python(&self) -> String {
        format!("{self}.py")
    }

    /// The manifest beside it.
    pub fn manifest(&self) -> String {
        format!("{self}.json")
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if first && rest && text.len() <= LONGEST { Ok(Name(text.to_owned())) } else { Err(NameError(text.to_owned())) }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        let longest = "a".repeat(32);
        for name in ["hello", "a", "my-tool_2", &longest] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        let long = "a".repeat(33);
        for name in ["", "Hello", "2a", "-a", "_a", "a.b", "a/b", "..", "a b", "é", "a\n", "a\0", &long] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_fault_says_what_a_name_is() {
        let error = "My Tool".parse::<Name>().unwrap_err().to_string();
        assert!(error.starts_with("\"My Tool\" cannot be a plugin's name: it has up to 32 of a-z"), "{error}");
    }

    #[test]
    fn a_python_file_is_called_after_its_plugin() {
        let name = Name::of_python("hello.py").unwrap();
        assert_eq!((name.as_str(), name.python().as_str()), ("hello", "hello.py"));
        for file in ["hello", ".py", "Hello.py", "../hello.py", "hello.py.py"] {
            assert!(Name::of_python(file).is_err(), "{file}");
        }
    }
}
