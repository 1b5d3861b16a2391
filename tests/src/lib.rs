//! What the whole-program tests share: the program under test, run in a place of its own.

// A test that cannot set itself up has failed: there is nothing to recover.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, clippy::disallowed_methods)]
// Assertions return what they looked at, to be chained or dropped.
#![allow(clippy::return_self_not_must_use)]

pub mod apt;
pub mod bench;
pub mod console;
pub mod real;
pub mod userland;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The checkout.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The program under test: `BORG_COMPOSE`, or what the last `cargo build` made.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("BORG_COMPOSE") {
        return path.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), PathBuf::from);
    let path = target.join("debug/borg-compose");
    assert!(path.is_file(), "{} is missing: run `cargo build -p borg-compose`, or `./.ci/test`", path.display());
    path
}

/// A run of the program, finished.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn new(output: &Output) -> Self {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless the exit status is `code`.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless stderr has `text`.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }

    /// The last line on stdout.
    pub fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }
}

/// A folder with profiles and a store, and the program run in it with nothing of the tester's environment.
#[derive(Debug)]
pub struct Bench {
    pub folder: PathBuf,
    pub store: PathBuf,
}

impl Bench {
    pub fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder.join("profiles")).unwrap();
        Bench { folder: folder.to_owned(), store: folder.join("store") }
    }

    /// Writes a profile and answers with its path.
    pub fn profile(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join("profiles").join(format!("{name}.yaml"));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, to be run in the checkout, where it finds the runtime's sources.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(checkout());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BORG_") {
                command.env_remove(name);
            }
        }
        command.env("BORG_STORE", &self.store);
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::new(&self.command(args).output().unwrap())
    }
}

/// The SHA-256 of a file, by the tool that a user would take.
pub fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap_or_default().to_owned()
}
