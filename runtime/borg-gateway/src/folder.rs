//! What lies in the plugins' folder, and which host runs it.

use std::path::PathBuf;

use borg_config::{Permission, PluginHosts};
use borg_plugin::{Fingerprint, Folder, Name, Request};

/// A plugin that was found. Another file, manifest or grant makes another of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub fingerprint: Fingerprint,
    pub standing: Standing,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The host at this socket may run it.
    Runs(PathBuf),
    Refused(String),
    Broken(String),
}

impl Found {
    /// What its host is sent.
    pub fn request(&self) -> Result<String, String> {
        let name: Name = self.name.parse().map_err(|e: borg_plugin::NameError| e.to_string())?;
        Ok(Request::Run { name }.line().trim_end().to_owned())
    }
}

/// All that is there, by the configuration as it is now.
pub fn scan(hosts: &PluginHosts) -> Result<Vec<Found>, String> {
    let config: borg_config::Plugins = borg_config::load(&hosts.config).map_err(|e| e.to_string())?;
    let found = Folder::open(&config.folder)?.scan()?;
    let standing = |found: &borg_plugin::Found| match found.standing(&config) {
        borg_plugin::Standing::Ready(manifest) if manifest.permissions.contains(&Permission::Network) => {
            Standing::Runs(hosts.network.clone())
        }
        borg_plugin::Standing::Ready(_) => Standing::Runs(hosts.host.clone()),
        borg_plugin::Standing::Refused(why) => Standing::Refused(why),
        borg_plugin::Standing::Broken(why) => Standing::Broken(why.to_owned()),
    };
    let own = |found: borg_plugin::Found| Found {
        standing: standing(&found),
        name: found.name,
        fingerprint: found.fingerprint,
    };
    Ok(found.into_iter().map(own).collect())
}
