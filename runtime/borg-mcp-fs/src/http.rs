//! Streamable HTTP at `/mcp`, and `/healthz`.

use axum::Router;
use axum::routing::get;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::tools::Tools;

/// Names by which a client on this machine reaches it. Everything else, such as a name that an attacker's DNS
/// points at 127.0.0.1, is refused.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The routes. `hosts` are further names that clients use; only a service open to other machines needs them.
pub fn router(tools: Tools, hosts: &[String], stop: CancellationToken) -> Router {
    let names = LOOPBACK.into_iter().chain(hosts.iter().map(String::as_str));
    // rmcp checks no Origin as long as its list is empty.
    let origins = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
    let mut config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(names)
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        // The tools keep nothing between calls, so neither do we: no sessions that could pile up.
        .with_legacy_session_mode(false)
        .with_json_response(true);
    config.cancellation_token = stop;
    let mcp = StreamableHttpService::new(move || Ok(tools.clone()), NeverSessionManager::default().into(), config);
    Router::new().route("/healthz", get(async || "ok")).nest_service("/mcp", mcp)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
