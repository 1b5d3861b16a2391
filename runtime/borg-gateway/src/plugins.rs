//! All plugins: which there are now, and how many of them are at work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use borg_config::PluginHosts;
use futures_util::future::join_all;
use rmcp::model::{CallToolResult, JsonObject};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::asking::Asking;
use crate::fault::Fault;
use crate::folder::{self, Found};
use crate::names::Plugged;
use crate::plugin::Plugin;
use crate::questions::Progress;
use crate::times::Times;

/// How many plugins may be at work.
const LINKS: usize = 8;
/// How many are started at once.
const STARTS: usize = 4;
/// How long one that nobody asks stays at work.
const IDLE_TIME: Duration = Duration::from_mins(5);
/// How often the folder is looked at.
const LOOK_TIME: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Plugins {
    hosts: Option<PluginHosts>,
    times: Times,
    table: Mutex<Table>,
    links: Arc<Semaphore>,
    starts: Semaphore,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Table {
    plugins: BTreeMap<String, Arc<Plugin>>,
    /// Why the folder cannot be looked at.
    fault: Option<String>,
}

impl Plugins {
    pub fn new(hosts: Option<PluginHosts>, times: Times) -> Arc<Self> {
        Arc::new(Plugins {
            hosts,
            times,
            table: Mutex::default(),
            links: Arc::new(Semaphore::new(LINKS)),
            starts: Semaphore::new(STARTS),
            changes: watch::Sender::new(()),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees what is there without being asked, and ends what nobody asks any more. Never ends.
    pub async fn watch(self: Arc<Self>) {
        loop {
            self.learn().await;
            self.rest();
            tokio::time::sleep(LOOK_TIME).await;
        }
    }

    /// Looks at the folder, and waits a while for plugins that are new. What is known of the others holds.
    pub async fn refresh(self: &Arc<Self>) {
        self.learn().await;
        let all = self.all();
        join_all(all.iter().map(|plugin| plugin.settled())).await;
    }

    /// Looks at the folder and begins to ask those whose tools are unknown or have changed.
    async fn learn(self: &Arc<Self>) {
        self.look().await;
        for asking in self.all().into_iter().filter_map(Asking::begin) {
            let own = Arc::clone(self);
            tokio::spawn(async move { own.ask(asking).await });
        }
    }

    async fn ask(&self, asking: Asking) {
        let Ok(_turn) = self.starts.acquire().await else { return };
        let plugin = asking.plugin();
        let before = plugin.tools();
        plugin.learn(|| self.place()).await;
        if plugin.tools() != before {
            self.changes.send_replace(());
        }
    }

    async fn look(&self) {
        let Some(hosts) = self.hosts.clone() else { return };
        let scanned = tokio::task::spawn_blocking(move || folder::scan(&hosts)).await;
        let scanned = scanned.unwrap_or_else(|e| Err(e.to_string()));
        if self.table().take(scanned, self.times) {
            self.changes.send_replace(());
        }
    }

    /// Room for one more at work; one that nobody uses goes for it.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.links).try_acquire_owned() {
                return Some(place);
            }
            let table = self.table();
            let idle = |plugin: &Arc<Plugin>| Some((plugin.idle_since()?, Arc::clone(plugin)));
            let (_, longest) = table.plugins.values().filter_map(idle).min_by_key(|(since, _)| *since)?;
            longest.rest();
        }
    }

    fn rest(&self) {
        for plugin in self.table().plugins.values() {
            if plugin.idle_since().is_some_and(|since| since.elapsed() > IDLE_TIME) {
                plugin.rest();
            }
        }
    }

    pub fn plugged(&self) -> Vec<Plugged> {
        let tools = |plugin: &Arc<Plugin>| Some(Plugged { plugin: plugin.found.name.clone(), tools: plugin.tools()? });
        self.table().plugins.values().filter_map(tools).collect()
    }

    /// Every plugin, by name.
    pub fn all(&self) -> Vec<Arc<Plugin>> {
        self.table().plugins.values().cloned().collect()
    }

    /// Why there may be others than are known.
    pub fn fault(&self) -> Option<String> {
        self.table().fault.clone()
    }

    /// Tells of each change of what there is.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    pub async fn call(
        &self,
        plugin: &str,
        tool: &str,
        arguments: JsonObject,
        progress: Option<Progress>,
        until: Instant,
    ) -> Result<CallToolResult, Fault> {
        let Some(plugin) = self.table().plugins.get(plugin).cloned() else {
            return Err(Fault::Source(format!("there is no plugin {plugin} any more")));
        };
        let outcome = plugin.call(|| self.place(), tool, arguments, progress, until).await;
        if matches!(outcome, Err(Fault::Late(_))) {
            tokio::spawn(async move { plugin.prod().await });
        }
        outcome
    }

    /// Sees, after a call was cancelled, whether its plugin is still good for others.
    pub fn prod(&self, plugin: &str) {
        let Some(plugin) = self.table().plugins.get(plugin).cloned() else { return };
        tokio::spawn(async move { plugin.prod().await });
    }
}

impl Table {
    /// Takes over what was seen, and says whether anything is new. A plugin that is as it was keeps what is known of it;
    /// the others' links end when their last call does.
    fn take(&mut self, scanned: Result<Vec<Found>, String>, times: Times) -> bool {
        let (found, fault) = match scanned {
            Ok(found) => (found, None),
            // What cannot be looked at is not trusted to be as it was.
            Err(fault) => (Vec::new(), Some(fault)),
        };
        self.fault = fault;
        let mut before = std::mem::take(&mut self.plugins);
        let mut changed = false;
        for found in found {
            let same = before.remove(&found.name).filter(|plugin| plugin.found == found);
            changed |= same.is_none();
            self.plugins.insert(found.name.clone(), same.unwrap_or_else(|| Arc::new(Plugin::new(found, times))));
        }
        changed || !before.is_empty()
    }
}

#[cfg(test)]
#[path = "plugins_tests.rs"]
mod tests;
