//! Streamable HTTP at `/mcp`, and `/healthz`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::gate::{self, Gate};
use crate::listen::Service;
use crate::sessions::{Manager, Sessions};
use crate::token::Token;

/// Names by which a client on this machine reaches it. Everything else, such as a name that an attacker's DNS
/// points at 127.0.0.1, is refused.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// How long a service may take to say how it is.
const HEALTH_TIME: Duration = Duration::from_secs(2);

/// Who may call, and from where; as [`crate::Listen`] has it, with the token read.
#[derive(Debug)]
pub struct Door {
    pub token: Token,
    pub hosts: Vec<String>,
    pub origins: Vec<String>,
}

/// Says what is wrong with a service, if anything is. Whoever asks need not have a token, so it names no path.
pub type Health = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// The same service behind two doors.
#[derive(Debug, Clone)]
pub struct Routers {
    /// For whoever has the token.
    pub token: Router,
    /// For connections of users who may do without. Who he is, is added for each.
    pub peers: Router,
}

pub fn routers<S>(service: Service<S>, door: Door, stop: CancellationToken) -> Routers
where
    S: ServerHandler + Clone,
{
    let Service { tools, health, more, limits, sessions, .. } = service;
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
        .with_max_request_body_bytes(limits.body)
        .with_legacy_session_mode(sessions != Sessions::None)
        .with_json_response(true);
    config.cancellation_token = stop;
    let manager = Manager::new(sessions, limits.slots);
    let mcp = StreamableHttpService::new(move || Ok(tools.clone()), manager.into(), config);
    let gate = Gate::new(limits.slots, sessions);
    let behind = |token: Option<Token>| {
        let mcp = Router::new().nest_service("/mcp", mcp.clone());
        // What else there is costs little, and must not wait for tools.
        let mcp = mcp.layer(from_fn_with_state(gate.clone(), gate::pass)).merge(more.clone());
        // The outer layer comes first: without the token nothing is counted or waited for.
        let mcp = match token {
            Some(token) => mcp.layer(from_fn_with_state(Arc::new(token), gate::ask)),
            None => mcp,
        };
        let health = Arc::clone(&health);
        Router::new().route("/healthz", get(move || say(Arc::clone(&health)))).merge(mcp)
    };
    Routers { token: behind(Some(door.token)).layer(Extension(Caller::Token)), peers: behind(None) }
}

async fn say(health: Health) -> (StatusCode, String) {
    match tokio::time::timeout(HEALTH_TIME, health()).await {
        Ok(Ok(())) => (StatusCode::OK, "ok".into()),
        Ok(Err(fault)) => (StatusCode::SERVICE_UNAVAILABLE, fault),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "no answer in time".into()),
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
