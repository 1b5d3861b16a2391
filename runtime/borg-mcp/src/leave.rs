//! Answers on their way out over HTTP, each with the place that it takes up until it has left.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::large::Slot;

type Polled = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// One message, whole.
#[derive(Debug)]
pub struct Held {
    /// None is empty.
    pieces: VecDeque<Bytes>,
    left: usize,
    until: Instant,
    _slot: OwnedSemaphorePermit,
}

impl Held {
    /// The answer has to be taken by `until`.
    pub fn new(pieces: Vec<Bytes>, until: Instant, slot: OwnedSemaphorePermit) -> Self {
        let pieces: VecDeque<Bytes> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        Held { left: pieces.iter().map(Bytes::len).sum(), pieces, until, _slot: slot }
    }
}

fn late() -> axum::Error {
    axum::Error::new("the answer was not read in time")
}

/// So much at once, of which hyper takes the next when the client took one.
const PART: usize = 64 * 1024;

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Polled {
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Ready(None) };
        if Instant::now() > self.until {
            return Poll::Ready(Some(Err(late())));
        }
        let part = piece.split_to(piece.len().min(PART));
        if !piece.is_empty() {
            self.pieces.push_front(piece);
        }
        self.left -= part.len();
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

/// Messages as they come.
#[derive(Debug)]
pub struct Streamed {
    body: Body,
    /// Of the message that is leaving.
    pieces: VecDeque<Bytes>,
    text: Option<Slot>,
    /// None has no end of its own.
    until: Option<Instant>,
    _place: OwnedSemaphorePermit,
}

impl Streamed {
    pub fn new(body: Body, place: OwnedSemaphorePermit, text: Option<Slot>) -> Self {
        Streamed { body, pieces: VecDeque::new(), text, until: None, _place: place }
    }

    /// What comes has to be taken by then.
    pub fn until(self, until: Instant) -> Self {
        Streamed { until: Some(until), ..self }
    }
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        if self.until.is_some_and(|until| Instant::now() > until) {
            return Poll::Ready(Some(Err(late())));
        }
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let polled = http_body::Body::poll_frame(Pin::new(&mut self.body), context);
            let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
            // rmcp makes one piece of each message.
            let message = match frame.into_data() {
                Ok(message) => message,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            };
            let pieces = match &self.text {
                Some(text) => text.fill(message),
                None => vec![message],
            };
            self.pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        }
    }
}
