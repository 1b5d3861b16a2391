//! Asking a service of this machine at its Unix socket: a connection, one question, its answer.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rmcp::ErrorData;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use crate::gate::ANSWER_LIMIT;

/// What services are asked in. They keep nothing between questions, so it need not be agreed upon first.
const VERSION: &str = "2025-06-18";
/// How much of a text that is not MCP is worth showing.
const SHOWN: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    socket: PathBuf,
    time: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientFault {
    /// Nobody is there, or nobody whom one may ask.
    Unreachable(String),
    /// It does not let this user in.
    Refused(String),
    /// It answers with an error of the protocol.
    Answered(ErrorData),
    /// What it sends is no answer.
    Broken(String),
    Late(Duration),
}

impl fmt::Display for ClientFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientFault::Unreachable(text) | ClientFault::Refused(text) | ClientFault::Broken(text) => {
                f.write_str(text)
            }
            ClientFault::Answered(error) => f.write_str(&error.message),
            ClientFault::Late(time) => write!(f, "no answer within {} s", time.as_secs()),
        }
    }
}

impl Client {
    /// A question and its answer take at most `time` together.
    pub fn new(socket: impl Into<PathBuf>, time: Duration) -> Self {
        Client { socket: socket.into(), time }
    }

    /// Asks by MCP. Dropping this cancels the question.
    pub async fn ask<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, ClientFault> {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = Request::builder()
            .method(Method::POST)
            .uri("/mcp")
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", VERSION);
        let (status, body) = self.send(request, question.to_string()).await?;
        answer(status, &body)
    }

    /// Gets what is at `path`, such as `/healthz`.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), ClientFault> {
        self.send(Request::builder().uri(path), String::new()).await
    }

    async fn send(
        &self,
        request: axum::http::request::Builder,
        body: String,
    ) -> Result<(StatusCode, Bytes), ClientFault> {
        let request = request.header(HOST, "localhost").body(Full::from(body));
        let request = request.map_err(|e| ClientFault::Broken(e.to_string()))?;
        tokio::time::timeout(self.time, self.exchange(request)).await.map_err(|_| ClientFault::Late(self.time))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientFault> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unreachable(&e))?;
        let broken = |e: hyper::Error| ClientFault::Broken(format!("{} broke off: {e}", self.socket.display()));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
            let body = body.map_err(|e| ClientFault::Broken(format!("{}: {e}", self.socket.display())))?;
            Ok((status, body.to_bytes()))
        };
        tokio::pin!(exchange);
        // The connection lives as long as the question: whoever drops this hangs up.
        tokio::select! {
            answer = &mut exchange => return answer,
            ended = connection => ended.map_err(broken)?,
        }
        exchange.await
    }

    fn unreachable(&self, e: &io::Error) -> ClientFault {
        ClientFault::Unreachable(format!("cannot reach {}: {e}", self.socket.display()))
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    result: Option<T>,
    error: Option<ErrorData>,
}

fn answer<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, ClientFault> {
    let shown = || String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).trim().to_owned();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(ClientFault::Refused(shown()));
    }
    match serde_json::from_slice(body) {
        Ok(Answer { result: Some(result), error: None }) => Ok(result),
        Ok(Answer { error: Some(error), .. }) => Err(ClientFault::Answered(error)),
        Ok(Answer { .. }) => Err(ClientFault::Broken("an answer with neither result nor error".into())),
        Err(_) if !status.is_success() => Err(ClientFault::Broken(format!("{status}: {}", shown()))),
        Err(e) => Err(ClientFault::Broken(format!("an answer that is not understood ({e}): {}", shown()))),
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
