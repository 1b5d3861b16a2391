//! What `units/<name>/service.yaml` says.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Every service by name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(pub BTreeMap<String, Service>);

/// A small declarative module; `name` is the folder's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    #[serde(skip)]
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Part of every image, whether or not a profile asks for it (`network` is).
    #[serde(default)]
    pub always: bool,
    /// Services that come with this one, each with its default options unless the profile lists it.
    #[serde(default)]
    pub brings: Vec<String>,
    /// The options: a JSON Schema each, with `default` and `description`. They go into the profile's schema as they are.
    #[serde(default)]
    pub options: IndexMap<String, Value>,
    /// Options that an option needs beside it.
    #[serde(default)]
    pub requires: BTreeMap<String, Vec<String>>,
    /// Debian packages.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Crates of `runtime/` whose .deb enters the image.
    #[serde(default)]
    pub runtime: Vec<String>,
    /// Unit files in this folder, installed to `/etc/systemd/system` after rendering with the options; one that renders to
    /// nothing is left out.
    #[serde(default)]
    pub units: Vec<String>,
    /// Units that start at boot, whoever installs them; every other unit of the image is disabled by preset.
    #[serde(default)]
    pub enable: Vec<String>,
    /// Templates in this folder and where they go.
    #[serde(default)]
    pub files: Vec<TemplateFile>,
    /// What it listens on.
    #[serde(default)]
    pub ports: Vec<PortRule>,
    /// How to see from inside that it works.
    #[serde(default)]
    pub health: Vec<HealthRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateFile {
    /// A file in the service's folder, rendered with minijinja: `options`, `spec`.
    pub template: String,
    /// Absolute path in the image.
    pub path: String,
    #[serde(default = "mode_0644")]
    pub mode: String,
    #[serde(default = "root")]
    pub owner: String,
    #[serde(default = "root")]
    pub group: String,
}

fn mode_0644() -> String {
    "0644".into()
}

fn root() -> String {
    "root".into()
}

/// A port: a number, or the name of an option that holds one (null: not listening).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PortNumber {
    Number(u16),
    Option(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortRule {
    pub port: PortNumber,
    #[serde(default)]
    pub protocol: Protocol,
    pub reach: Reach,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

/// From where a port answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// From other machines.
    Public,
    /// From the machine itself only.
    Loopback,
    /// A client's own socket (DHCP): may be open, promises no answer.
    Client,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum HealthRule {
    /// The unit is active.
    Unit(String),
    /// A GET on the loopback address answers with a status below 400.
    Http { port: PortNumber, path: String },
    /// Something accepts connections.
    Tcp(PortNumber),
    /// A program exits with 0; an argument vector, no shell.
    Exec(Vec<String>),
}
