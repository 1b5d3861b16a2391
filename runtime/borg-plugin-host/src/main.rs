//! `borg-plugin-host`: starts one plugin for one connection, or says which tools a source would have.
//!
//! systemd starts it for each connection to its socket, in a sandbox that the plugin inherits: standard input and output are
//! the connection. Nothing of what a plugin does or says goes through this program, so nothing of it can fill its memory.
#![forbid(unsafe_code)]

mod args;
mod check;
mod client;
mod group;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

use borg_plugin::{Request, failure};

use args::{Deed, Settings};
use client::Client;

fn main() -> ExitCode {
    let result = match args::parse(std::env::args_os()) {
        Ok(Deed::Say(text)) => std::io::stdout().lock().write_all(text.as_bytes()).map_err(|e| e.to_string()),
        Ok(Deed::Serve(settings)) => serve(&settings),
        Err(e) => {
            complain(&format!("{e}\ntry borg-plugin-host --help"));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn complain(message: &str) {
    // Nobody left to tell is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "borg-plugin-host: {message}");
}

/// Does what the client's first line asks for, and tells it why if that cannot be.
fn serve(settings: &Settings) -> Result<(), String> {
    let client = Client::on_stdin()?;
    let done = match client.first_line().and_then(|line| Request::parse(&line)) {
        Ok(Request::Run { name }) => run::run(&client, settings, &name),
        Ok(Request::Check { name, source }) => {
            client.say(&check::check(&client, settings, &name, &source).line());
            Ok(())
        }
        Err(why) => Err(why),
    };
    if let Err(why) = done {
        complain(&why);
        client.say(&failure(&why));
    }
    Ok(())
}
