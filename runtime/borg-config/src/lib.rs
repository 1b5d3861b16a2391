//! The device's configuration: one type that the composer writes and the services read.

use serde::{Deserialize, Serialize};

/// Where the composer writes [`Device`], as JSON.
pub const DEVICE_PATH: &str = "/etc/borg/device.json";

/// What this device is and may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The profile that the image was made from.
    pub profile: String,
    /// The language model that answers offline, as Ollama names it.
    pub offline_model: Option<String>,
    /// Never ask a model that is not on the device.
    pub offline_only: bool,
}

/// Where the composer writes [`BootCheck`], as JSON.
pub const BOOT_CHECK_PATH: &str = "/usr/lib/borg/boot-check.json";

/// What the boot check asserts from inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootCheck {
    pub services: Vec<ServiceCheck>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceCheck {
    pub name: String,
    pub health: Vec<Health>,
    pub ports: Vec<PortCheck>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortCheck {
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// `public`, `loopback` or `client`.
    pub reach: String,
}

/// A health check, decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Health {
    /// The unit is active.
    Unit(String),
    /// A GET on the loopback address answers with a status below 400.
    Http { port: u16, path: String },
    /// Something accepts connections.
    Tcp(u16),
    /// A program exits with 0; an argument vector, no shell.
    Exec(Vec<String>),
}
