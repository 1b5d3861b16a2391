//! Streamable HTTP at `/mcp`, and `/healthz`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::gate::{self, Gate};
use crate::roots::Roots;
use crate::token::Token;
use crate::tools::Tools;

/// Names by which a client on this machine reaches it. Everything else, such as a name that an attacker's DNS
/// points at 127.0.0.1, is refused.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// A file's text may double when it becomes JSON.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// Who may call, and from where.
#[derive(Debug)]
pub struct Door {
    pub token: Token,
    /// Further names of this machine that clients use; only a service open to other machines needs them.
    pub hosts: Vec<String>,
    /// Origins of web pages; without any, pages that this machine serves.
    pub origins: Vec<String>,
}

pub fn router(tools: Tools, door: Door, stop: CancellationToken) -> Router {
    let names = LOOPBACK.into_iter().chain(door.hosts.iter().map(String::as_str));
    // rmcp checks no Origin as long as its list is empty.
    let origins = if door.origins.is_empty() {
        ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"].map(str::to_owned).to_vec()
    } else {
        door.origins
    };
    let mut config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(names)
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        .with_max_request_body_bytes(BODY_LIMIT)
        // The tools keep nothing between calls, so neither do we: no sessions that could pile up.
        .with_legacy_session_mode(false)
        .with_json_response(true);
    config.cancellation_token = stop;
    let roots = Arc::clone(tools.roots());
    let mcp = StreamableHttpService::new(move || Ok(tools.clone()), NeverSessionManager::default().into(), config);
    let mcp = Router::new().nest_service("/mcp", mcp).layer(from_fn_with_state(Gate::new(door.token), gate::pass));
    Router::new().route("/healthz", get(async move || health(roots).await)).merge(mcp)
}

/// How long a root may take to answer.
const HEALTH_TIME: Duration = Duration::from_secs(2);

/// Needs no token, and so names no path.
async fn health(roots: Arc<Roots>) -> (StatusCode, String) {
    let asked = tokio::task::spawn_blocking(move || {
        let fault = |(number, root): (usize, &crate::roots::Root)| {
            root.dir.open(".").err().map(|e| format!("directory {} of {}: {e}", number + 1, roots.iter().count()))
        };
        roots.iter().enumerate().find_map(fault)
    });
    match tokio::time::timeout(HEALTH_TIME, asked).await {
        Ok(Ok(None)) => (StatusCode::OK, "ok".into()),
        Ok(Ok(Some(fault))) => (StatusCode::SERVICE_UNAVAILABLE, fault),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the file system does not answer".into()),
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
