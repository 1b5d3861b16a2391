//! The tools as a client over HTTP meets them.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use borg_mcp::testing::{INITIALIZE, request};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::testing::app;

async fn send(root: &std::path::Path, request: Request<Body>) -> (StatusCode, Value) {
    let response = app(root).oneshot(request).await.unwrap();
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
    assert_eq!(answer["result"]["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
}

#[tokio::test]
async fn every_tool_is_listed_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let body = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let (_, answer) = send(folder.path(), request(body)).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 18);
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        assert_eq!(tool["annotations"]["openWorldHint"], false, "{tool}");
        assert!(tool["annotations"]["readOnlyHint"].is_boolean(), "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        // Known to the dispatcher, and told in a result when the arguments are wrong.
        let text = call(folder.path(), name, json!({})).await["result"]["content"][0]["text"].to_string();
        assert!(
            text.contains(&format!("Invalid arguments for tool {name}")) || name == "list_allowed_directories",
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_tool_answers_and_its_fault_is_a_result() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "1\n2\n").unwrap();
    let answer = call(folder.path(), "read_text_file", json!({"path": "a", "head": 1.0, "other": true})).await;
    assert_eq!(
        answer["result"],
        json!({"content": [{"type": "text", "text": "1"}], "structuredContent": {"content": "1"}})
    );
    let answer = call(folder.path(), "read_text_file", json!({"path": "/etc/passwd"})).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let answer = call(folder.path(), "nothing", json!({})).await;
    assert_eq!(answer["result"]["content"][0]["text"], "MCP error -32602: Tool nothing not found");
    let answer = call(folder.path(), "list_allowed_directories", json!({})).await;
    assert!(answer.to_string().contains(folder.path().to_str().unwrap()), "{answer}");
}

#[tokio::test]
async fn a_large_text_is_whole_in_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a \"line\"\twith\u{1} ä\n".repeat(10_000);
    std::fs::write(folder.path().join("a"), &text).unwrap();
    let answer = call(folder.path(), "read_text_file", json!({"path": "a"})).await;
    assert_eq!(answer["result"]["content"][0]["text"], text);
    assert_eq!(answer["result"]["structuredContent"]["content"], text);
}

#[tokio::test]
async fn resources_are_listed_by_roots_and_a_template() {
    let folder = tempfile::tempdir().unwrap();
    let ask = async |method: &str| {
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": method}).to_string();
        send(folder.path(), request(body)).await.1
    };
    let uri = format!("file://{}", folder.path().display());
    assert_eq!(ask("resources/list").await["result"]["resources"][0]["uri"], uri);
    let templates = ask("resources/templates/list").await;
    assert_eq!(templates["result"]["resourceTemplates"][0]["uriTemplate"], "file://{+path}");
    // An older protocol has no stream to be told on.
    let body = json!({"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": uri}}).to_string();
    assert_eq!(send(folder.path(), request(body)).await.1["error"]["code"], -32601);
}

#[tokio::test]
async fn every_number_of_lines_has_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "1\n2\n").unwrap();
    for (arguments, part) in [
        (json!({"head": 1, "tail": 1}), "Cannot specify both"),
        (json!({"head": -1}), "not a number of lines"),
        (json!({"tail": 1.5}), "not a number of lines"),
        (json!({"head": 1e300}), "not a number of lines"),
        (json!({"head": 0}), "1\\n2\\n"),
        (json!({"tail": u64::MAX}), "1\\n2\\n"),
    ] {
        let mut arguments = arguments;
        arguments["path"] = "a".into();
        let answer = call(folder.path(), "read_file", arguments).await.to_string();
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[tokio::test]
async fn edits_that_meet_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "").unwrap();
    let app = app(folder.path());
    let edits = (0..20).map(|n| {
        let edit = json!({"oldText": "", "newText": format!("{n}\n")});
        let body = json!({"jsonrpc": "2.0", "id": n, "method": "tools/call",
            "params": {"name": "edit_file", "arguments": {"path": "a", "edits": [edit]}}});
        // The body has to be read for its slot to become free.
        let app = app.clone();
        tokio::spawn(async move {
            to_bytes(app.oneshot(request(body.to_string())).await.unwrap().into_body(), 1 << 20).await
        })
    });
    for edit in edits.collect::<Vec<_>>() {
        edit.await.unwrap().unwrap();
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap().lines().count(), 20);
}

#[tokio::test]
async fn health_looks_at_the_roots() {
    let folder = tempfile::tempdir().unwrap();
    let get = || Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(send(folder.path(), get()).await, (StatusCode::OK, Value::String("ok".into())));
}
