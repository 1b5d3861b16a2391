//! The servers whose tools are joined. Each is asked at its Unix socket, and may be down.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use borg_config::McpServer;
use borg_mcp::client::{Client, ClientFault};
use futures_util::future::join_all;
use rmcp::model::{CallToolResult, JsonObject, ListToolsResult, Tool};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::listing;
use crate::names::{Heard, List};

/// How long a server may take to name its tools.
const LIST_TIME: Duration = Duration::from_secs(5);
/// The longest that a call may take; servers let callers wait for 30 s.
const CALL_TIME: Duration = Duration::from_secs(45);
/// How long a server may take to say how it is; clients wait 2 s for all.
const HEALTH_TIME: Duration = Duration::from_millis(1500);

/// How many long answers are taken in at once: each takes several times its memory until it is understood.
const LONG_ANSWERS: usize = 2;

#[derive(Debug)]
pub struct Servers(Vec<Server>);

#[derive(Debug)]
struct Server {
    config: McpServer,
    places: Arc<Semaphore>,
    last: Mutex<Last>,
}

#[derive(Debug, Clone, Default)]
struct Last {
    tools: Option<List>,
    up: bool,
    /// Why its list was not taken, if that is its own fault.
    fault: Option<String>,
}

impl Servers {
    pub fn new(servers: Vec<McpServer>) -> Self {
        let places = Arc::new(Semaphore::new(LONG_ANSWERS));
        let server = |config| Server { config, places: Arc::clone(&places), last: Mutex::default() };
        Servers(servers.into_iter().map(server).collect())
    }

    /// Asks each for its tools.
    pub async fn refresh(&self) {
        join_all(self.0.iter().map(Server::refresh)).await;
    }

    /// What each said last.
    pub fn heard(&self) -> Vec<Heard> {
        let heard = |server: &Server| {
            let Last { tools, up, .. } = server.last().clone();
            Heard { server: server.config.name.clone(), tools, up }
        };
        self.0.iter().map(heard).collect()
    }

    pub async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: JsonObject,
        until: Instant,
    ) -> Result<CallToolResult, Fault> {
        self.ask(server, "tools/call", json!({ "name": tool, "arguments": arguments }), until).await
    }

    /// Asks one of them.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        server: &str,
        method: &str,
        params: Value,
        until: Instant,
    ) -> Result<T, Fault> {
        let Some(server) = self.0.iter().find(|one| one.config.name == server) else {
            return Err(Fault::Source(format!("there is no server {server}")));
        };
        let left = until.saturating_duration_since(Instant::now());
        server.client(left.min(CALL_TIME)).ask(method, params).await.map_err(|fault| match fault {
            ClientFault::Answered(error) => Fault::Answered(error),
            // It was asked, and nobody can tell how far it came.
            fault @ (ClientFault::Late(_) | ClientFault::Broken(_)) => {
                Fault::Source(format!("{} does not answer: {fault}; it may have been done", server.config.name))
            }
            fault => Fault::Source(format!("{} does not answer: {fault}", server.config.name)),
        })
    }

    /// Asks each for a list of `method`; those that have no answer are left out.
    pub async fn lists<T: DeserializeOwned>(&self, method: &str) -> Vec<(&str, T)> {
        let asked = self.0.iter().map(|server| async move {
            let list = server.client(LIST_TIME).ask(method, json!({})).await.ok()?;
            Some((server.config.name.as_str(), list))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// The names of those that do not say that they are well.
    pub async fn ill(&self) -> Vec<&str> {
        let asked =
            self.0.iter().map(|server| async move { (!server.is_well().await).then_some(&*server.config.name) });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

impl Last {
    fn take(&mut self, tools: Vec<Tool>) {
        self.fault = None;
        self.tools = Some(List::renew(self.tools.take(), tools));
    }
}

impl Server {
    fn client(&self, time: Duration) -> Client {
        Client::new(&self.config.socket, time).with_places(Arc::clone(&self.places))
    }

    async fn refresh(&self) {
        let listed = self.client(LIST_TIME).ask::<ListToolsResult>("tools/list", json!({})).await;
        let checked = listed.ok().map(|listed| listing::check(&listed.tools).map(|()| listed.tools));
        let mut last = self.last();
        last.up = matches!(checked, Some(Ok(_)));
        match checked {
            Some(Ok(tools)) => last.take(tools),
            Some(Err(fault)) if last.fault.as_ref() != Some(&fault) => {
                self.say(&fault);
                last.fault = Some(fault);
            }
            _ => {}
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, fault: &str) {
        // Nobody left to tell is no reason to fail.
        let _ = writeln!(io::stderr().lock(), "borg-gateway: server {} is left out: {fault}", self.config.name);
    }

    async fn is_well(&self) -> bool {
        self.last().fault.is_none() && matches!(self.client(HEALTH_TIME).get("/healthz").await, Ok((StatusCode::OK, _)))
    }
}
