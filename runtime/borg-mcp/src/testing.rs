//! What the services' tests send.

mod client;

use std::io::{BufRead as _, BufReader, Read, Write};

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::http::Door;
use crate::token::Token;

pub use client::Client;

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":
    {"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;

/// A client's request with the token.
///
/// # Panics
/// Never: the headers are constants.
pub fn request(body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri("/mcp")
        .header("host", "127.0.0.1:7300")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body.into())
        .unwrap()
}

/// A door that the token opens.
///
/// # Panics
/// Never: the token is a constant.
pub fn door() -> Door {
    Door { token: Token::parse(TOKEN.as_bytes()).unwrap(), hosts: vec![], origins: vec![] }
}

/// Sends a request over a connection, with these headers beside those that all have; gives the answer's first line, and the rest
/// to be read.
///
/// # Panics
/// When the service hangs up.
pub fn post<S: Read + Write>(mut stream: S, headers: &str, body: &str) -> (BufReader<S>, String) {
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Accept: application/json, text/event-stream\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    let mut status = String::new();
    stream.read_line(&mut status).unwrap();
    (stream, status)
}

/// The headers of a subscription by the newest protocol.
pub const LISTEN: &str = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n";

/// A subscription to resources, by the newest protocol.
pub fn listen_request(uris: &[&str]) -> String {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}});
    json!({"jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen",
        "params": {"_meta": meta, "notifications": {"resourceSubscriptions": uris}}})
    .to_string()
}
