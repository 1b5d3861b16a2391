//! The command line: one file a verb.

#![allow(clippy::disallowed_methods, reason = "an edge: everything starts here")]

pub mod args;
mod boot;
mod build;
mod check;
mod clean;
mod docs;
mod doctor;
mod live_build;
mod lock;
mod many;
mod project;
mod render;
mod report;
mod schema;
mod sharing;
mod space;
mod vendor;
mod verify;
mod workbench;
pub mod worker;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches;

use crate::error::{IoContext, Result};
use crate::{Kind, interrupt, plain, workshop};
use args::{Cli, Verb};

/// Runs the program and answers with its exit status.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(panicked));
    match std::env::args_os().nth(1).as_deref().and_then(|a| a.to_str()) {
        Some(workshop::worker::OUTER) => return workshop::worker::outer().into(),
        Some(workshop::worker::IDS) => return workshop::worker::ids().into(),
        Some(workshop::worker::INNER) => return workshop::worker::inner(worker::work).into(),
        Some(workshop::bound::VERB) => return workshop::bound::run().into(),
        _ => {}
    }
    let parsed = Cli::grammar().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; clap knows to which stream each goes.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let format = cli.global.log_format;
    interrupt::install(move || {
        report::show(&interrupt::error(), format);
    });
    match interrupt::translate(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::show(&error, format),
    }
}

/// Ends the run as a fault of ours, whatever a panic would do by itself.
fn panicked(info: &std::panic::PanicHookInfo<'_>) {
    let help = "this is a fault of borg-compose: report it, with the command and the profile";
    let _ = writeln!(std::io::stderr(), "error: {}\n  help: {help}", plain::lines(info.to_string()));
    std::process::exit(i32::from(Kind::Internal.exit_code()));
}

fn dispatch(cli: Cli) -> Result<()> {
    let global = &cli.global;
    match cli.verb {
        Verb::Check(args) => check::run(&args, global),
        Verb::Schema(args) => schema::run(&args),
        Verb::Render(args) => render::run(&args, global),
        Verb::Lock(args) => lock::run(&args, global),
        Verb::Build(args) => build::run(&args, global),
        Verb::Verify(args) => verify::run(&args, global),
        Verb::Vendor(args) => vendor::run(&args, global),
        Verb::Boot(args) => boot::run(&args, global),
        Verb::Doctor => doctor::run(global),
        Verb::Clean(args) => clean::run(&args, global),
        Verb::Docs(args) => docs::run(&args),
    }
}

/// Says on stdout, for scripts, where the thing is that was asked for.
fn answer(made: &Path) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{}", made.display()).at("write", Path::new("stdout"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_is_a_fault_of_ours() {
        if std::env::var_os("BORG_TEST_PANIC").is_some() {
            std::panic::set_hook(Box::new(super::panicked));
            let _ = std::thread::spawn(|| panic!("in a thread")).join();
        }
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "cli::tests::a_panic_is_a_fault_of_ours", "--nocapture"]).env("BORG_TEST_PANIC", "1");
        let output = again.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(70) && stderr.contains("error: ") && stderr.contains("in a thread"),
            "{stderr}"
        );
    }
}
