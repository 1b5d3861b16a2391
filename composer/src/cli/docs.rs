//! `docs`: the generated references.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::args::{Cli, Docs, Reference};
use crate::cli::project;
use crate::error::{IoContext, Result};
use crate::{catalogue, profile};

pub fn run(args: &Docs) -> Result<()> {
    let text = match args.what {
        Reference::Profile => profile::docs::reference(&catalogue::load(&project::assets()?)?),
        Reference::Commands => commands(),
    };
    std::io::stdout().lock().write_all(text.as_bytes()).at("write", Path::new("stdout"))
}

/// The help of every verb, as it is printed on a terminal of 100 columns.
fn commands() -> String {
    // The reference must not show what the environment of its maker holds.
    let mut command = Cli::command().term_width(100).mut_args(|arg| arg.hide_env_values(true));
    command = command.mut_subcommands(|verb| verb.mut_args(|arg| arg.hide_env_values(true)));
    command.build();
    let mut text = String::from("# Commands\n\nMade by `borg-compose docs commands`; do not edit.\n");
    let mut section = |name: String, help: String| {
        text.extend(["\n## `", &name, "`\n\n```text\n", help.trim_end(), "\n```\n"]);
    };
    section("borg-compose".into(), command.render_long_help().to_string());
    for verb in command.get_subcommands_mut().filter(|v| !v.is_hide_set() && v.get_name() != "help") {
        section(format!("borg-compose {}", verb.get_name()), verb.render_long_help().to_string());
    }
    text
}
