//! The gateway: which servers and plugins it joins, and where it listens.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{LineFiles, McpListen};

/// Where the composer writes [`Gateway`], as JSON.
pub const GATEWAY_PATH: &str = "/etc/borg/gateway.json";

/// Where `borg` finds the gateway unless told otherwise.
pub const GATEWAY_SOCKET: &str = "/run/borg-gateway/mcp.sock";

/// What is behind the one door, and who may enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    pub listen: McpListen,
    /// Further names of this machine that clients use.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Origins of web pages that may ask; without any, pages that this machine serves.
    #[serde(default)]
    pub origins: Vec<String>,
    #[serde(default)]
    pub servers: Vec<McpServer>,
    #[serde(default)]
    pub plugins: Option<PluginHosts>,
    /// A file with a line for each call, and older ones beside it; standard error without.
    #[serde(default)]
    pub audit: Option<LineFiles>,
}

/// A service on this machine whose tools are offered under their own names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// As faults and the audit log call it.
    pub name: String,
    /// Where it speaks MCP over HTTP, at `/mcp`.
    pub socket: PathBuf,
}

/// What runs plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginHosts {
    /// The socket of the host that gives plugins no network.
    pub host: PathBuf,
    /// The socket of the host for plugins that ask for the network and are granted it.
    pub network: PathBuf,
    /// Where the folder and the grants are written.
    pub config: PathBuf,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Result<Gateway, String> {
        crate::parse(text.as_bytes(), Path::new("gateway.json")).map_err(|e| e.to_string())
    }

    #[test]
    fn only_where_it_listens_must_be_said() {
        let config = parse(r#"{"listen": {"address": "127.0.0.1:7302", "token_file": "t"}}"#).unwrap();
        assert_eq!((config.servers.len(), config.plugins, config.audit), (0, None, None));
        assert!(parse("{}").unwrap_err().contains("missing field `listen`"));
    }

    #[test]
    fn an_unknown_key_of_a_server_is_named() {
        let text = r#"{"listen": {"address": "127.0.0.1:7302", "token_file": "t"}, "servers": [{"name": "files", "path": "/x"}]}"#;
        assert!(parse(text).unwrap_err().contains("unknown field `path`, expected `name` or `socket`"));
    }
}
