//! What the services' tests send.

mod client;

use axum::body::Body;
use axum::http::{Method, Request};

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
