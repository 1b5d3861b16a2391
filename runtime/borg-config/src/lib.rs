//! The device's configuration: one type that the composer writes and the services read.
#![forbid(unsafe_code)]

pub mod folders;
mod framing;
mod gateway;
mod load;
mod plugins;

pub use framing::{DataBits, Framing, Parity, StopBits};
pub use gateway::{GATEWAY_PATH, GATEWAY_SOCKET, Gateway, McpServer, PluginHosts};
pub use load::{LoadError, load, parse};
pub use plugins::{PLUGINS_PATH, Permission, Plugins};

use std::net::SocketAddr;
use std::path::PathBuf;

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

/// Where the composer writes [`ComMonitor`], as JSON.
pub const COM_MONITOR_PATH: &str = "/etc/borg/com-monitor.json";

/// Which serial ports are listened to, and what becomes of their lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComMonitor {
    pub ports: Vec<SerialPort>,
    /// Files that lines are written to, beside the journal.
    #[serde(default)]
    pub files: Option<LineFiles>,
    /// Where MCP clients and Prometheus reach it; nowhere without.
    #[serde(default)]
    pub listen: Option<McpListen>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SerialPort {
    /// A device, or a glob over devices: `/dev/ttyUSB0`, `/dev/serial/by-id/*`.
    pub device: String,
    /// Bits per second.
    #[serde(default = "baud")]
    pub baud: u32,
    #[serde(default)]
    pub framing: Framing,
    #[serde(default)]
    pub line_ending: LineEnding,
    #[serde(default)]
    pub encoding: Encoding,
    /// Whether MCP clients may write to it.
    #[serde(default)]
    pub write: bool,
}

impl SerialPort {
    /// A port with the usual settings.
    pub fn new(device: impl Into<String>) -> Self {
        SerialPort {
            device: device.into(),
            baud: baud(),
            framing: Framing::default(),
            line_ending: LineEnding::default(),
            encoding: Encoding::default(),
            write: false,
        }
    }
}

fn baud() -> u32 {
    115_200
}

/// What ends a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineEnding {
    /// A newline, a carriage return, or both in this order.
    #[default]
    Any,
    Lf,
    Cr,
    Crlf,
}

/// What bytes mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "latin-1")]
    Latin1,
    /// No text: each byte is shown by two digits.
    #[serde(rename = "hex")]
    Hex,
}

/// A file for each port, and older ones beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineFiles {
    pub folder: PathBuf,
    /// Bytes of one file, after which the next is begun.
    pub max_size: u64,
    /// Older files kept for each port.
    pub keep: u32,
}

/// Where a service listens for MCP over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpListen {
    pub address: SocketAddr,
    /// The bearer token that clients send.
    pub token_file: PathBuf,
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// Whose users may do without the token at the socket.
    #[serde(default)]
    pub socket_group: Option<String>,
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

/// The systemd credential that asks for a boot check.
pub const BOOT_CHECK_CREDENTIAL: &str = "borg.boot-check";

/// What the credential [`BOOT_CHECK_CREDENTIAL`] holds, as JSON; an empty credential asks for the plain check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BootCheckRequest {
    /// Assert that the firmware booted with Secure Boot on.
    pub secure_boot: bool,
    /// Power the machine off after the verdict.
    pub poweroff: bool,
}

/// The virtio-serial port's name that the verdict is written to, as one line of JSON: a [`BootReport`].
pub const BOOT_CHECK_PORT: &str = "org.borgos.check";

/// The verdict of a boot check, for the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootReport {
    pub verdict: Verdict,
    /// The names of what failed, in the order of `checks`.
    pub failures: Vec<String>,
    pub checks: Vec<CheckResult>,
    pub listening: Vec<Listening>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    pub name: String,
    pub ok: bool,
    /// Why it failed, or what was seen.
    pub detail: String,
    pub seconds: f64,
}

/// A socket that waits for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// `tcp` or `udp`.
    pub protocol: String,
    pub address: std::net::IpAddr,
    pub port: u16,
    /// The program's name, if it could be found.
    pub process: Option<String>,
}
