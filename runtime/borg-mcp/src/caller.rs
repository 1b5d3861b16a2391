//! Who asks, for services that tell callers apart or write them down.

use rmcp::service::{RequestContext, RoleServer};
use serde::Serialize;
use tokio::net::unix::UCred;

/// By which door a request came in. [`crate::listen`] puts it into the extensions of the HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Caller {
    /// Whoever has the token.
    Token,
    /// A local user, of whom the kernel says who he is.
    Peer {
        uid: u32,
        /// The process that connected, if the kernel knows it.
        pid: Option<i32>,
    },
    /// The program that started this one.
    Stdio,
}

impl Caller {
    pub fn of(context: &RequestContext<RoleServer>) -> Self {
        // Without HTTP there is one client only.
        let Some(parts) = context.extensions.get::<axum::http::request::Parts>() else { return Caller::Stdio };
        // Every router of this crate says otherwise when it knows better.
        parts.extensions.get().copied().unwrap_or(Caller::Token)
    }
}

impl From<UCred> for Caller {
    fn from(peer: UCred) -> Self {
        Caller::Peer { uid: peer.uid(), pid: peer.pid() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_written_with_the_door() {
        let written = |caller: Caller| serde_json::to_string(&caller).unwrap();
        assert_eq!(written(Caller::Token), r#"{"by":"token"}"#);
        assert_eq!(written(Caller::Peer { uid: 1000, pid: Some(42) }), r#"{"by":"peer","uid":1000,"pid":42}"#);
        assert_eq!(written(Caller::Stdio), r#"{"by":"stdio"}"#);
    }
}
