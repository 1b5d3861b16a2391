//! Running a plugin.

use std::io;
use std::process::Command;

use borg_config::{Permission, Plugins};
use borg_plugin::{Folder, Manifest, Name, Program, Standing};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;

use crate::args::Settings;
use crate::client::Client;
use crate::complain;
use crate::group::Group;

/// Runs the plugin with the connection as its standard input and output, until it ends or the client leaves. An error means
/// that it was not started.
pub fn run(client: &Client, settings: &Settings, name: &Name) -> Result<(), String> {
    let config: Plugins = borg_config::load(&settings.config).map_err(|e| e.to_string())?;
    let folder = Folder::open(&config.folder)?;
    let fault = |why: String| format!("plugin {name}: {why}");
    let manifest = permitted(&folder, name, &config, settings.network).map_err(fault)?;
    let group = start(command(settings, &folder, name, &manifest), client).map_err(fault)?;
    match watch(client, &group) {
        Err(e) => complain(&fault(format!("cannot be watched, and ends: {e}"))),
        Ok(()) => {
            if let Some(how) = group.status() {
                complain(&fault(format!("ended by itself, {how}")));
            }
        }
    }
    Ok(())
}

/// The plugin's manifest, if it may run and this is the place for it.
fn permitted(folder: &Folder, name: &Name, config: &Plugins, network: bool) -> Result<Manifest, String> {
    let found = folder.find(name)?;
    let manifest = match found.standing(config) {
        Standing::Ready(manifest) => manifest,
        Standing::Broken(why) => return Err(why.to_owned()),
        Standing::Refused(why) => return Err(why),
    };
    match (manifest.permissions.contains(&Permission::Network), network) {
        (true, false) => Err("needs the network, which this socket's plugins have not; ask at network.sock".into()),
        (false, true) => Err("does not ask for the network in its manifest; ask at host.sock".into()),
        _ => Ok(manifest.clone()),
    }
}

fn command(settings: &Settings, folder: &Folder, name: &Name, manifest: &Manifest) -> Command {
    let Some(argv) = &manifest.command else {
        let mut python = settings.python();
        python.arg(folder.path().join(name.python()));
        return python;
    };
    let own = folder.path().join(name.as_str());
    let mut command = match &argv.program {
        Program::Own(path) => Command::new(own.join(path)),
        Program::System(word) => Command::new(word),
    };
    command.args(&argv.args).current_dir(own);
    command
}

fn start(mut command: Command, client: &Client) -> Result<Group, String> {
    let connection = || client.connection().map_err(|e| e.to_string());
    Group::start(command.stdin(connection()?).stdout(connection()?))
}

/// Returns when the plugin ends or the client leaves.
fn watch(client: &Client, group: &Group) -> io::Result<()> {
    let end = group.end()?;
    let mut either = [client.leaving(), PollFd::new(&end, PollFlags::IN)];
    retry_on_intr(|| poll(&mut either, None))?;
    Ok(())
}
