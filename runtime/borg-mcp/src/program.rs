//! The command line of a service that a configuration file tells what to do.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;

use crate::{Failure, token};

/// `NAME [--config FILE] [--stdio]`, `NAME --make-token FILE [--group NAME]`, and what every program has.
#[derive(Debug)]
pub struct Program {
    pub name: &'static str,
    pub version: &'static str,
    pub help: &'static str,
    /// The configuration file without `--config`.
    pub config: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
enum Deed {
    Help,
    Version,
    MakeToken { path: PathBuf, group: Option<String> },
    Run { config: PathBuf, stdio: bool },
}

impl Program {
    /// Does what the command line asks for. `run` gets the configuration file, and whether it is to serve one client on
    /// standard input and output. Faults go to standard error: of usage with exit status 2, others with 1.
    pub fn main(&self, run: impl FnOnce(&Path, bool) -> Result<(), Failure>) -> ExitCode {
        let deed = match self.deed(std::env::args_os()) {
            Ok(deed) => deed,
            Err(e) => return self.fail(&format!("{e}\ntry {} --help", self.name), 2),
        };
        let result = match deed {
            Deed::Help => say(self.help),
            Deed::Version => say(&format!("{} {}\n", self.name, self.version)),
            Deed::MakeToken { path, group } => token::make(&path, group.as_deref()).map_err(Failure::from),
            Deed::Run { config, stdio } => run(&config, stdio),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => self.fail(&e.to_string(), 1),
        }
    }

    fn fail(&self, message: &str, status: u8) -> ExitCode {
        // Nobody left to tell is no reason to fail otherwise.
        let _ = writeln!(std::io::stderr().lock(), "{}: {message}", self.name);
        ExitCode::from(status)
    }

    fn deed(&self, args: impl IntoIterator<Item = OsString>) -> Result<Deed, lexopt::Error> {
        let mut parser = lexopt::Parser::from_iter(args);
        let mut config = PathBuf::from(self.config);
        let (mut stdio, mut make_token, mut group) = (false, None, None);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("config") => config = parser.value()?.into(),
                Long("stdio") => stdio = true,
                Long("make-token") => make_token = Some(PathBuf::from(parser.value()?)),
                Long("group") => group = Some(parser.value()?.string()?),
                Long("help") | Short('h') => return Ok(Deed::Help),
                Long("version") | Short('V') => return Ok(Deed::Version),
                other => return Err(other.unexpected()),
            }
        }
        Ok(match make_token {
            Some(path) => Deed::MakeToken { path, group },
            None => Deed::Run { config, stdio },
        })
    }
}

fn say(text: &str) -> Result<(), Failure> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROGRAM: Program = Program { name: "x", version: "1", help: "", config: "/etc/x.json" };

    fn deed(line: &str) -> Result<Deed, String> {
        let args = std::iter::once("x").chain(line.split_whitespace()).map(OsString::from);
        PROGRAM.deed(args).map_err(|e| e.to_string())
    }

    #[test]
    fn the_configuration_has_a_usual_place() {
        let run = |config: &str, stdio| Ok(Deed::Run { config: config.into(), stdio });
        assert_eq!(deed(""), run("/etc/x.json", false));
        assert_eq!(deed("--config /y --stdio"), run("/y", true));
    }

    #[test]
    fn a_token_is_made_for_a_group() {
        let made = deed("--make-token /t --group borg");
        assert_eq!(made, Ok(Deed::MakeToken { path: "/t".into(), group: Some("borg".into()) }));
    }

    #[test]
    fn faults_are_named() {
        for (line, part) in [("--configs /y", "--configs"), ("--config", "--config"), ("/y", "/y")] {
            assert!(deed(line).unwrap_err().contains(part), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_argument_breaks_it(args in prop::collection::vec("(--config|--stdio|--group|-|.{0,12})", 0..6)) {
            let _ = PROGRAM.deed(std::iter::once("x".to_owned()).chain(args).map(OsString::from));
        }
    }
}
