use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use rmcp::ServerHandler;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::http::routers;
use crate::listen::{Limits, Service};
use crate::testing::{INITIALIZE, door, request};

/// Its tools answer as often as told to.
#[derive(Debug, Clone)]
struct Slow(Arc<Semaphore>);

impl ServerHandler for Slow {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, rmcp::ErrorData> {
        self.0.acquire().await.unwrap().forget();
        Ok(CallToolResult::success(vec![]).into())
    }
}

struct Server {
    app: axum::Router,
    answers: Arc<Semaphore>,
}

fn server(sessions: usize, slots: usize) -> Server {
    let answers = Arc::new(Semaphore::new(0));
    let tools = Slow(Arc::clone(&answers));
    let health: crate::Health = Arc::new(|| Box::pin(async { Ok(()) }));
    let limits = Limits { body: 10_000, slots };
    let sessions = Sessions::AtMost(sessions);
    let service = Service { name: "slow", tools, health, more: axum::Router::new(), limits, sessions };
    Server { app: routers(service, door(), CancellationToken::new()).token, answers }
}

impl Server {
    async fn send(&self, request: Request<Body>) -> Response {
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn begin(&self) -> String {
        let response = self.send(request(INITIALIZE)).await;
        let id = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        assert!(text(response).await.contains("serverInfo"));
        let note = self.say(&id, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        assert_eq!(note.status(), StatusCode::ACCEPTED);
        id
    }

    async fn say(&self, session: &str, body: &str) -> Response {
        let mut request = request(body.to_owned());
        request.headers_mut().insert("mcp-session-id", session.parse().unwrap());
        self.send(request).await
    }

    async fn call(&self, session: &str, id: usize) -> Response {
        let call = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"x"}}}}"#);
        self.say(session, &call).await
    }
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

const PING: &str = r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#;

#[tokio::test]
async fn the_session_unused_longest_makes_room() {
    let server = server(2, 4);
    let (first, second) = (server.begin().await, server.begin().await);
    assert!(text(server.say(&first, PING).await).await.contains(r#""id":9"#));
    let third = server.begin().await;
    let statuses = [server.say(&first, PING).await, server.say(&second, PING).await, server.say(&third, PING).await];
    assert_eq!(statuses.map(|response| response.status().as_u16()), [200, 404, 200]);
}

#[tokio::test]
async fn a_session_ends_when_its_client_says_so() {
    let server = server(2, 4);
    let session = server.begin().await;
    let mut request = request("");
    *request.method_mut() = axum::http::Method::DELETE;
    request.headers_mut().insert("mcp-session-id", session.parse().unwrap());
    assert!(server.send(request).await.status().is_success());
    assert_eq!(server.say(&session, PING).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_sessions_nobody_gets_one() {
    let health: crate::Health = Arc::new(|| Box::pin(async { Ok(()) }));
    let (more, limits) = (axum::Router::new(), Limits { body: 10_000, slots: 4 });
    let service = Service {
        name: "x",
        tools: Slow(Arc::new(Semaphore::new(0))),
        health,
        more,
        limits,
        sessions: Sessions::default(),
    };
    let app = routers(service, door(), CancellationToken::new()).token;
    let response = app.oneshot(request(INITIALIZE)).await.unwrap();
    assert!(!response.headers().contains_key("mcp-session-id"));
    assert!(text(response).await.starts_with('{'));
}

#[tokio::test]
async fn who_hangs_up_still_has_unanswered_requests() {
    let server = server(2, 2);
    let session = server.begin().await;
    for id in 1..=2 {
        // Dropped unread.
        assert_eq!(server.call(&session, id).await.status(), StatusCode::OK);
    }
    let refused = server.call(&session, 3).await;
    assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(refused).await.contains("too many requests are unanswered"));
    assert_eq!(server.say(&session, r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).await.status(), 202);
    server.answers.add_permits(2);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let third = server.call(&session, 3).await;
    assert_eq!(third.status(), StatusCode::OK);
    server.answers.add_permits(1);
    assert!(text(third).await.contains(r#""id":3"#));
}

#[tokio::test]
async fn a_number_is_used_once_at_a_time() {
    let server = server(2, 4);
    let (one, other) = (server.begin().await, server.begin().await);
    let first = server.call(&one, 1).await;
    assert!(text(server.call(&one, 1).await).await.contains("a request with this id is unanswered"));
    // Another session has numbers of its own.
    assert_eq!(server.call(&other, 1).await.status(), StatusCode::OK);
    server.answers.add_permits(2);
    assert!(text(first).await.contains(r#""id":1"#));
    assert_eq!(server.call(&one, 1).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_cancelled_request_frees_its_place() {
    let server = server(2, 1);
    let session = server.begin().await;
    let call = server.call(&session, 1).await;
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(server.say(&session, cancelled).await.status(), StatusCode::ACCEPTED);
    drop(call);
    assert_eq!(server.call(&session, 2).await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_session_at_rest_ends() {
    let server = server(2, 4);
    let session = server.begin().await;
    tokio::time::sleep(IDLE_TIME / 2).await;
    assert_eq!(server.say(&session, PING).await.status(), StatusCode::OK);
    tokio::time::sleep(IDLE_TIME + Duration::from_secs(1)).await;
    assert_eq!(server.say(&session, PING).await.status(), StatusCode::NOT_FOUND);
}
