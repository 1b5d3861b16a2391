//! `borg`: the tools of this device on the command line. It asks the gateway at its Unix socket.
#![forbid(unsafe_code)]

mod args;
mod call;
mod check;
mod convert;
mod gateway;
mod list;
mod outcome;
mod show;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Deed, PluginDeed};
use gateway::Gateway;
use outcome::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody left to tell is no reason to fail otherwise.
            let _ = writeln!(std::io::stderr().lock(), "borg: {failure}");
            failure.status()
        }
    }
}

fn run(cli: &Cli) -> Outcome {
    let gateway = || Gateway::new(&cli.socket);
    match &cli.deed {
        Deed::Tools { json } => list::tools(&gateway()?.tools()?, *json),
        Deed::Call { tool, args, json } => call::run(&gateway()?, tool, args, *json),
        Deed::Plugin { deed: PluginDeed::List { json } } => list::plugins(&gateway()?.plugins()?, *json),
        Deed::Plugin { deed: PluginDeed::Check { file, host } } => check::run(file, host),
    }
}
