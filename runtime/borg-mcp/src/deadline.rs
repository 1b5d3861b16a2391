//! Until when a caller still hears an answer.

use std::time::Duration;

use axum::http::request::Parts;
use rmcp::service::{RequestContext, RoleServer};
use tokio::time::Instant;

/// The longest that a request may take from its arrival, its coming in and its wait for a slot included; and again the
/// longest that its answer may take to leave.
pub(crate) const REQUEST_TIME: Duration = Duration::from_mins(1);
/// How much before that a tool should be done, so that its answer is on its way.
const MARGIN: Duration = Duration::from_secs(5);

/// When a request over HTTP arrived; [`crate::gate`] puts it into its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival(pub Instant);

/// By when a tool must have answered for its caller to hear it. Without HTTP the same time counts from now on.
pub fn deadline(context: &RequestContext<RoleServer>) -> Instant {
    let arrival = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Arrival>());
    arrival.map_or_else(Instant::now, |arrival| arrival.0) + REQUEST_TIME - MARGIN
}
