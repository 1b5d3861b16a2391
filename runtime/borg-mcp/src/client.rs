//! Asking a service of this machine at its Unix socket: a connection, one question, its answer.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rmcp::ErrorData;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::gate::ANSWER_LIMIT;

/// What services are asked in. They keep nothing between questions, so it need not be agreed upon first.
const VERSION: &str = "2025-06-18";
/// An answer of more bytes is long.
const LONG: u64 = 1024 * 1024;
/// How much of a text that is not MCP is worth showing.
const SHOWN: usize = 200;

#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    time: Duration,
    places: Option<Arc<Semaphore>>,
}

/// What was answered, and the place that it takes up if it is long.
struct Answered {
    status: StatusCode,
    body: Bytes,
    _place: Option<OwnedSemaphorePermit>,
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
        Client { socket: socket.into(), time, places: None }
    }

    /// Takes only so many long answers at once as there are places, whoever else has these places; others wait.
    #[must_use]
    pub fn with_places(self, places: Arc<Semaphore>) -> Self {
        Client { places: Some(places), ..self }
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
        let answered = self.send(request, question.to_string()).await?;
        answer(answered.status, &answered.body)
    }

    /// Gets what is at `path`, such as `/healthz`.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), ClientFault> {
        let Answered { status, body, .. } = self.send(Request::builder().uri(path), String::new()).await?;
        Ok((status, body))
    }

    async fn send(&self, request: axum::http::request::Builder, body: String) -> Result<Answered, ClientFault> {
        let request = request.header(HOST, "localhost").body(Full::from(body));
        let request = request.map_err(|e| ClientFault::Broken(e.to_string()))?;
        tokio::time::timeout(self.time, self.exchange(request)).await.map_err(|_| ClientFault::Late(self.time))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answered, ClientFault> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unreachable(&e))?;
        let broken = |e: hyper::Error| ClientFault::Broken(format!("{} broke off: {e}", self.socket.display()));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status();
            let place = self.place(response.body()).await;
            let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
            let body = body.map_err(|e| ClientFault::Broken(format!("{}: {e}", self.socket.display())))?;
            Ok(Answered { status, body: body.to_bytes(), _place: place })
        };
        tokio::pin!(exchange);
        // The connection lives as long as the question: whoever drops this hangs up.
        tokio::select! {
            answer = &mut exchange => return answer,
            ended = connection => ended.map_err(broken)?,
        }
        exchange.await
    }

    async fn place(&self, body: &Incoming) -> Option<OwnedSemaphorePermit> {
        let is_long = body.size_hint().upper().is_none_or(|bytes| bytes > LONG);
        let places = self.places.as_ref().filter(|_| is_long)?;
        Arc::clone(places).acquire_owned().await.ok()
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
