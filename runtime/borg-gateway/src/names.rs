//! Under which name each tool is offered. A server's tools keep theirs; no plugin can take one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::Tool;
use serde::{Serialize, Serializer};

/// Between the plugin and its tool where the tool alone would not do.
const JOINT: &str = "__";

/// Whose a tool is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Server(String),
    Plugin(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Server(name) => write!(f, "server {name}"),
            Source::Plugin(name) => write!(f, "plugin {name}"),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The tools that somebody named. Two are the same only when they were heard at the same time.
#[derive(Debug, Clone)]
pub struct List(Arc<[Tool]>);

impl From<Vec<Tool>> for List {
    fn from(tools: Vec<Tool>) -> Self {
        List(tools.into())
    }
}

impl List {
    /// What was heard before, if it still holds.
    pub fn renew(before: Option<List>, tools: Vec<Tool>) -> Self {
        before.filter(|before| **before == *tools).unwrap_or_else(|| tools.into())
    }
}

impl Deref for List {
    type Target = [Tool];

    fn deref(&self) -> &[Tool] {
        &self.0
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A server and what it said last.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub server: String,
    /// None as long as it has never answered.
    pub tools: Option<List>,
    /// Whether it answered when it was asked last.
    pub up: bool,
}

/// A plugin and its tools.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugged {
    pub plugin: String,
    pub tools: List,
}

/// A tool under its name at the gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub source: Source,
    /// What its source calls it.
    pub own: String,
    /// As clients see it; nobody who is down is listed.
    pub tool: Tool,
    pub listed: bool,
}

/// All tools by name.
#[derive(Debug, Default)]
pub struct Names {
    offers: BTreeMap<String, Offer>,
    /// A plugin's tool can always be called by both names together.
    full: BTreeMap<String, String>,
    /// Plugins and those of their tools that have no name left.
    nameless: Vec<(String, String)>,
}

impl Names {
    pub fn of(servers: &[Heard], plugins: &[Plugged]) -> Self {
        let mut names = Names::default();
        for heard in servers {
            names.add_server(heard);
        }
        // A server that has never answered may have any name: until it did, plugins get none without their own in it.
        let known = servers.iter().all(|heard| heard.tools.is_some());
        let reserved: BTreeSet<String> = names.offers.keys().cloned().collect();
        let wanted = wanted(plugins);
        let free = |name: &str| !reserved.contains(name) && wanted.get(name) == Some(&1);
        for (plugin, tool) in all(plugins) {
            let full = full(plugin, tool);
            if known && free(&tool.name) {
                names.add_plugin(plugin, tool, tool.name.to_string());
                if free(&full) {
                    names.full.insert(full, tool.name.to_string());
                }
            } else if free(&full) {
                names.add_plugin(plugin, tool, full);
            } else {
                names.nameless.push((plugin.to_owned(), tool.name.to_string()));
            }
        }
        names
    }

    fn add_server(&mut self, heard: &Heard) {
        for tool in heard.tools.iter().flat_map(|tools| tools.iter()) {
            let source = Source::Server(heard.server.clone());
            let offer = Offer { source, own: tool.name.to_string(), tool: tool.clone(), listed: heard.up };
            // The first server keeps the name.
            self.offers.entry(tool.name.to_string()).or_insert(offer);
        }
    }

    fn add_plugin(&mut self, plugin: &str, tool: &Tool, name: String) {
        let mut shown = tool.clone();
        shown.name = name.clone().into();
        let source = Source::Plugin(plugin.to_owned());
        self.offers.insert(name, Offer { source, own: tool.name.to_string(), tool: shown, listed: true });
    }

    pub fn get(&self, name: &str) -> Option<&Offer> {
        self.offers.get(self.full.get(name).map_or(name, String::as_str))
    }

    /// What clients are shown, by name.
    pub fn listed(&self) -> impl Iterator<Item = &Offer> {
        self.offers.values().filter(|offer| offer.listed)
    }

    /// The names of a plugin's tools, and those of its tools that got none.
    pub fn of_plugin(&self, plugin: &str) -> (Vec<&str>, Vec<&str>) {
        let own = |offer: &&Offer| matches!(&offer.source, Source::Plugin(name) if name == plugin);
        let nameless = self.nameless.iter().filter(|(name, _)| name == plugin).map(|(_, tool)| tool.as_str());
        (self.listed().filter(own).map(|offer| offer.tool.name.as_ref()).collect(), nameless.collect())
    }
}

/// All names, made anew only when what they are made of has changed.
#[derive(Debug, Default)]
pub struct Cache(Mutex<Made>);

#[derive(Debug, Default)]
struct Made {
    servers: Vec<Heard>,
    plugins: Vec<Plugged>,
    names: Arc<Names>,
}

impl Cache {
    pub fn names(&self, servers: Vec<Heard>, plugins: Vec<Plugged>) -> Arc<Names> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if made.servers != servers || made.plugins != plugins {
            let names = Arc::new(Names::of(&servers, &plugins));
            *made = Made { servers, plugins, names };
        }
        Arc::clone(&made.names)
    }
}

fn all(plugins: &[Plugged]) -> impl Iterator<Item = (&str, &Tool)> {
    plugins.iter().flat_map(|plugged| plugged.tools.iter().map(|tool| (plugged.plugin.as_str(), tool)))
}

fn full(plugin: &str, tool: &Tool) -> String {
    format!("{plugin}{JOINT}{}", tool.name)
}

/// How many tools of plugins could go by each name.
fn wanted(plugins: &[Plugged]) -> BTreeMap<String, usize> {
    let mut wanted = BTreeMap::new();
    for (plugin, tool) in all(plugins) {
        for name in [tool.name.to_string(), full(plugin, tool)] {
            *wanted.entry(name).or_insert(0) += 1;
        }
    }
    wanted
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
