use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::roots::Roots;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":
    {"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;

fn request(body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri("/mcp")
        .header("host", "127.0.0.1:7300")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body.into())
        .unwrap()
}

async fn send(root: &std::path::Path, request: Request<Body>) -> (StatusCode, Value) {
    let roots = Roots::open(&[root.to_owned()]).unwrap();
    let app = router(Tools::new(Arc::new(roots)), &[], CancellationToken::new());
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn call(root: &std::path::Path, tool: &str, arguments: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments}});
    let (status, answer) = send(root, request(body.to_string())).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

#[tokio::test]
async fn initialize_names_this_server() {
    let folder = tempfile::tempdir().unwrap();
    let (status, answer) = send(folder.path(), request(INITIALIZE)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["result"]["serverInfo"]["name"], "borg-mcp-fs");
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
}

#[tokio::test]
async fn every_tool_is_listed_as_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let (_, answer) = send(folder.path(), request(body)).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    let mut names: Vec<&str> = tools.iter().filter_map(|t| t["name"].as_str()).collect();
    names.sort_unstable();
    let expected = ["get_file_info", "list_allowed_directories", "list_directory", "read_text_file", "search_files"];
    assert_eq!(names, expected);
    for tool in tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
    }
}

#[tokio::test]
async fn a_tool_answers_and_its_fault_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "1\n2\n").unwrap();
    let answer = call(folder.path(), "read_text_file", json!({"path": "a", "head": 1})).await;
    assert_eq!(answer["result"]["content"][0]["text"], "1\n", "{answer}");
    let answer = call(folder.path(), "read_text_file", json!({"path": "/etc/passwd"})).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let answer = call(folder.path(), "list_allowed_directories", json!({})).await;
    assert!(answer.to_string().contains(folder.path().to_str().unwrap()), "{answer}");
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_forbidden() {
    let folder = tempfile::tempdir().unwrap();
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
        let (status, body) = send(folder.path(), request).await;
        assert_eq!(status, expected, "{header}: {value}: {body}");
    }
}

#[tokio::test]
async fn health_needs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let request = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(send(folder.path(), request).await, (StatusCode::OK, Value::String("ok".into())));
}
