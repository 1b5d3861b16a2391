//! An answer that comes in on a thread of its own, so that whoever waits for it can be interrupted, and knows when it comes
//! too slowly.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ureq::RequestBuilder;
use ureq::http::response;
use ureq::typestate::WithoutBody;

use super::Failure;
use crate::interrupt;

/// How much is read at a time, and how many of these may wait to be taken.
pub const CHUNK: usize = 128 << 10;
const WAITING: usize = 2;

/// When an answer counts as too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub within: Duration,
    /// So many bytes must come each time; without, all must have come by then.
    pub least: Option<u64>,
}

/// The bytes of an answer, as they come in.
#[derive(Debug)]
pub struct Flow {
    chunks: Receiver<Result<Vec<u8>, Failure>>,
    watch: Watch,
}

/// Sends a request; what is answered before the body comes apart from it.
pub fn ask(request: RequestBuilder<WithoutBody>, pace: Pace) -> Result<(response::Parts, Flow), Failure> {
    let (send_head, head) = sync_channel(1);
    let (send_chunk, chunks) = sync_channel(WAITING);
    thread::spawn(move || {
        let answer = request.call().map_err(Failure::from).map(ureq::http::Response::into_parts);
        let (parts, body) = match answer {
            Ok((parts, body)) => (Ok(parts), Some(body)),
            Err(failure) => (Err(failure), None),
        };
        if let (Ok(()), Some(body)) = (send_head.send(parts), body) {
            // Whoever asked knows how much to expect and stops there.
            pump(body.into_with_config().limit(u64::MAX).reader(), &send_chunk);
        }
    });
    let mut watch = Watch { pace, since: Instant::now(), bytes: 0 };
    let parts = watch.wait(&head)?.ok_or_else(|| Failure::Cut("no answer".to_owned()))??;
    Ok((parts, Flow { chunks, watch }))
}

/// Reads to the end, or until nobody takes it any more.
fn pump(mut from: impl Read, to: &SyncSender<Result<Vec<u8>, Failure>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = from.read(&mut buffer).map(|got| buffer.get(..got).unwrap_or_default().to_vec());
        let last = !chunk.as_ref().is_ok_and(|bytes| !bytes.is_empty());
        if to.send(chunk.map_err(Failure::of_io)).is_err() || last {
            return;
        }
    }
}

impl Flow {
    /// The next bytes; none at the end.
    pub fn next(&mut self) -> Result<Vec<u8>, Failure> {
        let bytes = self.watch.wait(&self.chunks)?.transpose()?.unwrap_or_default();
        self.watch.bytes += bytes.len() as u64;
        Ok(bytes)
    }
}

/// What came since when.
#[derive(Debug)]
struct Watch {
    pace: Pace,
    since: Instant,
    bytes: u64,
}

impl Watch {
    /// The next message, or none when there will be no more.
    fn wait<T>(&mut self, from: &Receiver<T>) -> Result<Option<T>, Failure> {
        loop {
            interrupt::check()?;
            self.check()?;
            match from.recv_timeout(interrupt::GLANCE) {
                Ok(message) => return Ok(Some(message)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let time = self.since.elapsed();
        if time < self.pace.within {
            return Ok(());
        }
        if self.pace.least.is_none_or(|least| self.bytes < least) {
            return Err(Failure::Slow(format!("{} bytes in {:.0} s", self.bytes, time.as_secs_f64())));
        }
        (self.since, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}
