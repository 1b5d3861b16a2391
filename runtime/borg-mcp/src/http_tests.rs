use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use rmcp::ServerHandler;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ProgressNotificationParam};
use rmcp::service::{RequestContext, RoleServer};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::large::Slot;
use crate::listen::Limits;
use crate::testing::{INITIALIZE, TOKEN, door, request};

/// A server without tools.
#[derive(Debug, Clone)]
struct Bare;

impl ServerHandler for Bare {}

/// Says how far it is before it answers with a text that is left in its slot.
#[derive(Debug, Clone)]
struct Chatty;

impl ServerHandler for Chatty {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, rmcp::ErrorData> {
        let token = context.meta.get_progress_token().unwrap();
        let name = Slot::of(&context.extensions).unwrap().keep("a \"large\" text".into());
        for done in 1..3 {
            context.peer.notify_progress(ProgressNotificationParam::new(token.clone(), f64::from(done))).await.unwrap();
        }
        Ok(CallToolResult::success(vec![ContentBlock::text(name)]).into())
    }
}

fn both(health: Result<(), String>) -> Routers {
    let health: Health = Arc::new(move || {
        let health = health.clone();
        Box::pin(async move { health })
    });
    let more = Router::new().route("/metrics", get(|| async { "metrics" }));
    routers(
        Service {
            name: "bare",
            tools: Bare,
            health,
            more,
            limits: Limits { body: 10_000, slots: 4 },
            sessions: Sessions::None,
        },
        door(),
        CancellationToken::new(),
    )
}

async fn answer(app: Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn send(request: Request<Body>) -> (StatusCode, String) {
    answer(both(Ok(())).token, request).await
}

#[tokio::test]
async fn only_the_token_in_its_header_opens() {
    let uris =
        ["/mcp", &format!("/mcp?token={TOKEN}"), &format!("/mcp?access_token={TOKEN}"), &format!("/mcp/{TOKEN}")];
    let headers = [None, Some("Bearer wrong"), Some(TOKEN), Some("Basic MDEyMzQ1Njc4OWFiY2RlZg=="), Some("Bearer ")];
    for uri in uris {
        for header in headers {
            for method in [Method::POST, Method::GET, Method::DELETE, Method::OPTIONS] {
                let mut request = request(INITIALIZE);
                *request.uri_mut() = uri.parse().unwrap();
                *request.method_mut() = method.clone();
                match header {
                    None => drop(request.headers_mut().remove("authorization")),
                    Some(value) => drop(request.headers_mut().insert("authorization", value.parse().unwrap())),
                }
                let (status, body) = send(request).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {uri} {header:?}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn too_large_and_too_many_are_refused() {
    let large = format!("{INITIALIZE}{}", " ".repeat(10_000));
    assert_eq!(send(request(large)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let app = both(Ok(())).token;
    let mut refused = 0;
    for _ in 0..400 {
        let mut request = request("");
        *request.method_mut() = Method::GET;
        let response = app.clone().oneshot(request).await.unwrap();
        refused += usize::from(response.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_forbidden() {
    let cases = [
        ("host", "evil.example", StatusCode::FORBIDDEN),
        ("host", "localhost:7300", StatusCode::OK),
        ("origin", "http://evil.example", StatusCode::FORBIDDEN),
        ("origin", "http://localhost.evil.example:7300", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
        ("origin", "http://localhost:7300", StatusCode::OK),
    ];
    for (header, value, expected) in cases {
        let mut request = request(INITIALIZE);
        request.headers_mut().insert(header, value.parse().unwrap());
        let (status, body) = send(request).await;
        assert_eq!(status, expected, "{header}: {value}: {body}");
    }
}

#[tokio::test]
async fn health_needs_nothing() {
    let get = || Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(send(get()).await, (StatusCode::OK, "ok".to_owned()));
    let ill = both(Err("the disk is gone".into())).token;
    assert_eq!(answer(ill, get()).await, (StatusCode::SERVICE_UNAVAILABLE, "the disk is gone".to_owned()));
}

#[tokio::test]
async fn a_peer_needs_no_token_and_obeys_all_else() {
    let mut from_peer = request(INITIALIZE);
    from_peer.headers_mut().remove("authorization");
    let (status, body) = answer(both(Ok(())).peers, from_peer).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    for (header, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let mut request = request(INITIALIZE);
        request.headers_mut().insert(header, value.parse().unwrap());
        assert_eq!(answer(both(Ok(())).peers, request).await.0, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn what_else_there_is_needs_the_token_too() {
    let asked = |token: bool| {
        let mut request = request("");
        *request.method_mut() = Method::GET;
        *request.uri_mut() = "/metrics".parse().unwrap();
        if !token {
            request.headers_mut().remove("authorization");
        }
        request
    };
    assert_eq!(send(asked(false)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(asked(true)).await, (StatusCode::OK, "metrics".to_owned()));
}

#[tokio::test]
async fn a_text_that_was_left_arrives_in_a_stream_too() {
    let health: Health = Arc::new(|| Box::pin(async { Ok(()) }));
    let (more, limits) = (Router::new(), Limits { body: 10_000, slots: 4 });
    let service = Service { name: "chatty", tools: Chatty, health, more, limits, sessions: Sessions::None };
    let app = routers(service, door(), CancellationToken::new()).token;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":7}}}"#;
    let (status, body) = answer(app, request(call)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body.matches("notifications/progress").count(), 2, "{body}");
    assert!(body.contains(r#""text":"a \"large\" text""#), "{body}");
}
