//! Under which name each tool is offered. A server's tools keep theirs; no plugin can take one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::Tool;
use serde::{Serialize, Serializer};

/// Between the source and its tool where the tool alone would not do.
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
    /// A tool can always be called by its source's name and its own together.
    full: BTreeMap<String, String>,
    /// Sources and those of their tools that have no name left.
    nameless: Vec<(Source, String)>,
}

impl Names {
    pub fn of(servers: &[Heard], plugins: &[Plugged]) -> Self {
        let mut names = Names::default();
        names.add_servers(servers);
        // A server that has never answered may have any name: until it did, plugins get none without their own in it.
        let known = servers.iter().all(|heard| heard.tools.is_some());
        let reserved: BTreeSet<String> = names.offers.keys().cloned().collect();
        let wanted = wanted(plugins);
        // What begins with a server's name is that server's, whether it has such a tool or not.
        let of_server = |name: &str| {
            let mut rests = servers.iter().filter_map(|heard| name.strip_prefix(&heard.server));
            rests.any(|rest| rest.starts_with(JOINT))
        };
        let free = |name: &str| !reserved.contains(name) && !of_server(name) && wanted.get(name) == Some(&1);
        for (plugin, tool) in all(plugins) {
            let full = full(plugin, tool);
            let source = Source::Plugin(plugin.to_owned());
            if known && free(&tool.name) {
                names.add(source, tool, tool.name.to_string(), true);
                if free(&full) {
                    names.full.insert(full, tool.name.to_string());
                }
            } else if free(&full) {
                names.add(source, tool, full, true);
            } else {
                names.nameless.push((source, tool.name.to_string()));
            }
        }
        names
    }

    /// The first server keeps a name that several have. A name as it is comes before one that is put together.
    fn add_servers(&mut self, servers: &[Heard]) {
        let tools = || {
            servers
                .iter()
                .flat_map(|heard| heard.tools.iter().flat_map(|tools| tools.iter()).map(move |tool| (heard, tool)))
        };
        let mut others = Vec::new();
        for (heard, tool) in tools() {
            if self.offers.contains_key(&*tool.name) {
                others.push((heard, tool));
            } else {
                self.add(Source::Server(heard.server.clone()), tool, tool.name.to_string(), heard.up);
                self.full.entry(full(&heard.server, tool)).or_insert_with(|| tool.name.to_string());
            }
        }
        for (heard, tool) in others {
            let (source, full) = (Source::Server(heard.server.clone()), full(&heard.server, tool));
            if self.offers.contains_key(&full) || self.full.contains_key(&full) {
                self.nameless.push((source, tool.name.to_string()));
            } else {
                self.add(source, tool, full, heard.up);
            }
        }
        let offers = &self.offers;
        self.full.retain(|full, _| !offers.contains_key(full));
    }

    fn add(&mut self, source: Source, tool: &Tool, name: String, listed: bool) {
        let mut shown = tool.clone();
        shown.name = name.clone().into();
        self.offers.insert(name, Offer { source, own: tool.name.to_string(), tool: shown, listed });
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
        let is_own = |source: &Source| matches!(source, Source::Plugin(name) if name == plugin);
        let own = |offer: &&Offer| is_own(&offer.source);
        let nameless = self.nameless.iter().filter(|(source, _)| is_own(source)).map(|(_, tool)| tool.as_str());
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

fn full(source: &str, tool: &Tool) -> String {
    format!("{source}{JOINT}{}", tool.name)
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
