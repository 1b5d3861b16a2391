//! The gateway, asked at its Unix socket.

use std::path::Path;
use std::time::Duration;

use borg_mcp::client::{Client, ClientFault};
use rmcp::model::{CallToolResult, JsonObject, ListToolsResult, Tool};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::outcome::{Failure, Outcome};

/// Longer than the gateway lets any call take, and a long answer to come in.
const TIME: Duration = Duration::from_secs(90);

pub struct Gateway {
    client: Client,
    runtime: Runtime,
}

/// What `GET /plugins` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plugins {
    pub plugins: Vec<Plugin>,
    /// Why there may be more of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Plugin {
    pub name: String,
    pub state: String,
    pub tools: Vec<String>,
    pub error: Option<String>,
}

impl Gateway {
    pub fn new(socket: &Path) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Failure::Failed(format!("cannot start: {e}")))?;
        Ok(Gateway { client: Client::new(socket, TIME), runtime })
    }

    pub fn tools(&self) -> Outcome<Vec<Tool>> {
        let listed: ListToolsResult = self.runtime.block_on(self.client.ask("tools/list", json!({})))?;
        Ok(listed.tools)
    }

    pub fn call(&self, tool: &str, arguments: JsonObject) -> Outcome<CallToolResult> {
        let call = json!({ "name": tool, "arguments": Value::Object(arguments) });
        Ok(self.runtime.block_on(self.client.ask("tools/call", call))?)
    }

    pub fn plugins(&self) -> Outcome<Plugins> {
        let (status, body) = self.runtime.block_on(self.client.get("/plugins"))?;
        let text = || String::from_utf8_lossy(&body).trim().to_owned();
        match status.as_u16() {
            200 => serde_json::from_slice(&body)
                .map_err(|e| Failure::Failed(format!("the gateway's list of plugins is not understood: {e}"))),
            401 | 403 => Err(ClientFault::Refused(text()).into()),
            _ => Err(Failure::Failed(format!("the gateway answers {status}: {}", text()))),
        }
    }
}
