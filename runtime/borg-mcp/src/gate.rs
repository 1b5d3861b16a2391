//! What a request over HTTP must pass before a tool hears of it: the token, then the rate, a free slot, and time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::deadline::{Arrival, REQUEST_TIME};
use crate::large::Slot;
use crate::leave::{Held, Streamed};
use crate::sessions::Sessions;
use crate::token::Token;

/// How long one may wait for a slot.
const WAIT: Duration = Duration::from_secs(20);
/// The most bytes of an answer: the largest text that a tool gives, twice, and what is around it.
pub const ANSWER_LIMIT: usize = 48 * 1024 * 1024;
/// Answers that stay open, such as those of subscriptions, at once; they take no slot.
const STREAMS: usize = 8;
/// Where a request of the newest protocol says what it is.
const METHOD: &str = "mcp-method";
/// Requests a second, on average and at once.
const RATE: f64 = 100.0;
const BURST: f64 = 200.0;

/// Slots and rate, for all connections of a service together.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slots: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    bucket: Mutex<Bucket>,
    /// Whether whoever asks is who reads the answer; in a session another connection may come for it.
    direct: bool,
}

impl Gate {
    /// `slots` requests are worked on, or their answers still held, at once.
    pub fn new(slots: usize, sessions: Sessions) -> Self {
        let bucket = Mutex::new(Bucket { left: BURST, at: Instant::now() });
        let streams = match sessions {
            Sessions::None => STREAMS,
            // Each has a stream of its own, and one for each request that is unanswered.
            Sessions::AtMost(count) => STREAMS + count + slots,
        };
        let [slots, streams] = [slots, streams].map(|count| Arc::new(Semaphore::new(count)));
        Gate(Arc::new(Inner { slots, streams, bucket, direct: sessions == Sessions::None }))
    }
}

/// Requests that may still come, refilled as time goes by.
#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        self.left = (self.left + now.saturating_duration_since(self.at).as_secs_f64() * RATE).min(BURST);
        self.at = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

pub async fn ask(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    // Only the header counts: what stands in a URL ends up in logs and histories.
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if header.is_some_and(|header| token.is_in(header)) {
        return next.run(request).await;
    }
    let mut response = (StatusCode::UNAUTHORIZED, "send the token as `Authorization: Bearer …`\n").into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

pub async fn pass(State(Gate(gate)): State<Gate>, mut request: Request, next: Next) -> Response {
    let arrival = tokio::time::Instant::now();
    if !gate.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()) {
        return busy(StatusCode::TOO_MANY_REQUESTS);
    }
    let Ok(Ok(slot)) = tokio::time::timeout(WAIT, Arc::clone(&gate.slots).acquire_owned()).await else {
        return busy(StatusCode::SERVICE_UNAVAILABLE);
    };
    request.extensions_mut().insert(Arrival(arrival));
    let text = if gate.direct { Slot::new() } else { None };
    if let Some(text) = &text {
        request.extensions_mut().insert(text.clone());
    }
    let kind = gate.kind(&request);
    let answer = async {
        let response = next.run(request).await;
        match kind {
            _ if !streams(&response) => hold(response, slot, text).await,
            Kind::Endless => gate.stream(response, text),
            Kind::Call => {
                // Its answer has as long to leave as any other.
                let until = (arrival + 2 * REQUEST_TIME).into_std();
                response.map(|body| Body::new(Streamed::new(body, slot, text).until(until)))
            }
        }
    };
    tokio::time::timeout_at(arrival + REQUEST_TIME, answer).await.unwrap_or_else(|_| late())
}

fn late() -> Response {
    (StatusCode::REQUEST_TIMEOUT, format!("no answer within {} s\n", REQUEST_TIME.as_secs())).into_response()
}

fn too_large() -> Response {
    let text = format!("the answer is longer than {} MiB\n", ANSWER_LIMIT / 1024 / 1024);
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

fn busy(status: StatusCode) -> Response {
    let mut response = (status, "too many requests at once\n").into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn streams(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// What is asked, by how long its answer may be in coming.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A call: what it says meanwhile comes before its answer, and it keeps its slot until that has left.
    Call,
    /// A subscription, and in sessions everything: a stream may be left and come back to.
    Endless,
}

impl Inner {
    fn kind(&self, request: &Request) -> Kind {
        // The protocol that has subscriptions wants their name here, and rmcp refuses those without.
        let subscribes = request.headers().get(METHOD).is_some_and(|method| method == "subscriptions/listen");
        if self.direct && !subscribes { Kind::Call } else { Kind::Endless }
    }

    /// Lets a subscription's answer stay open, if not too many are; else it is dropped, which ends the subscription.
    fn stream(&self, response: Response, text: Option<Slot>) -> Response {
        let Ok(place) = Arc::clone(&self.streams).try_acquire_owned() else {
            return busy(StatusCode::SERVICE_UNAVAILABLE);
        };
        response.map(|body| Body::new(Streamed::new(body, place, text)))
    }
}

/// The slot stays taken until the answer is read: a client that does not read it holds memory.
async fn hold(response: Response, slot: OwnedSemaphorePermit, text: Option<Slot>) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(message) = to_bytes(body, ANSWER_LIMIT).await else {
        return too_large();
    };
    let pieces = match text {
        Some(text) => text.fill(message),
        None => vec![message],
    };
    if pieces.iter().map(Bytes::len).sum::<usize>() > ANSWER_LIMIT {
        return too_large();
    }
    Response::from_parts(parts, Body::new(Held::new(pieces, Instant::now() + REQUEST_TIME, slot)))
}

#[cfg(test)]
mod tests {
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use axum::{Extension, Router};
    use tower::ServiceExt as _;

    use super::*;

    async fn answer(router: Router) -> (StatusCode, Bytes) {
        let app = router.layer(from_fn_with_state(Gate::new(1, Sessions::None), pass));
        let response = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        (response.status(), to_bytes(response.into_body(), usize::MAX).await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_told_so() {
        let start = tokio::time::Instant::now();
        let (status, text) = answer(Router::new().route("/", get(std::future::pending::<()>))).await;
        assert_eq!((status, text.as_ref()), (StatusCode::REQUEST_TIMEOUT, &b"no answer within 60 s\n"[..]));
        assert_eq!(start.elapsed(), REQUEST_TIME);
    }

    #[tokio::test]
    async fn an_answer_is_as_long_as_clients_take_and_no_longer() {
        let large = |length: usize| {
            let tool = async move |Extension(slot): Extension<Slot>| {
                let name = slot.keep("x".repeat(length));
                format!("{name}{name}")
            };
            answer(Router::new().route("/", get(tool)))
        };
        let (status, text) = large(ANSWER_LIMIT / 2).await;
        assert_eq!((status, text.len()), (StatusCode::OK, ANSWER_LIMIT));
        let (status, text) = large(ANSWER_LIMIT / 2 + 1).await;
        assert_eq!(
            (status, text.as_ref()),
            (StatusCode::INTERNAL_SERVER_ERROR, &b"the answer is longer than 48 MiB\n"[..])
        );
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket { left: BURST, at: start };
        assert_eq!((0..500).filter(|_| bucket.take(start)).count(), 200);
        assert_eq!((0..500).filter(|_| bucket.take(start + Duration::from_millis(105))).count(), 10);
        assert_eq!((0..500).filter(|_| bucket.take(start + Duration::from_hours(1))).count(), 200);
    }
}
