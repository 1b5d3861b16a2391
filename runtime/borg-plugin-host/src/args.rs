//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use borg_config::PLUGINS_PATH;
use lexopt::prelude::*;

pub const HELP: &str = "\
borg-plugin-host: starts one plugin for the client on standard input, which must be a Unix socket

usage: borg-plugin-host [--network]

systemd starts it for each connection to /run/borg-plugin/host.sock, without network, or to /run/borg-plugin/network.sock.
The client's first line says what to do:

  {\"run\": {\"name\": \"hello\"}}                      start the plugin; the connection then speaks MCP with it
  {\"check\": {\"name\": \"hello.py\", \"source\": \"…\"}}  answer with the source's tools, or with its error

  --network              run plugins that ask for the network and are granted it, and no others
  --version, --help

For tests:
  --plugins-config FILE  where the folder and the grants are written (default /etc/borg/plugins.json)
  --python FILE          the program that runs Python plugins (default /usr/bin/python3)
  --runner FILE          what it runs them with (default /usr/lib/borg/python/borg_run.py)
";

pub enum Deed {
    Say(&'static str),
    Serve(Settings),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    pub network: bool,
    pub config: PathBuf,
    python: PathBuf,
    runner: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            network: false,
            config: PLUGINS_PATH.into(),
            python: "/usr/bin/python3".into(),
            runner: "/usr/lib/borg/python/borg_run.py".into(),
        }
    }
}

impl Settings {
    /// The Python that serves plugins. Isolated: neither its environment nor its folder adds a module.
    pub fn python(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-I").arg(&self.runner).current_dir("/tmp");
        command
    }
}

/// `args` begin with the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Deed, lexopt::Error> {
    let mut parser = lexopt::Parser::from_iter(args);
    let mut settings = Settings::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("network") => settings.network = true,
            Long("plugins-config") => settings.config = parser.value()?.into(),
            Long("python") => settings.python = parser.value()?.into(),
            Long("runner") => settings.runner = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(Deed::Say(HELP)),
            Long("version") | Short('V') => {
                return Ok(Deed::Say(concat!("borg-plugin-host ", env!("CARGO_PKG_VERSION"), "\n")));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Deed::Serve(settings))
}
