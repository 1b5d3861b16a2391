//! Random and mutated calls against the server as it is served, with a canary outside of the root.
//!
//! Two seconds of it, more by `FUZZ_SECONDS`; a run is repeated by the `FUZZ_SEED` that a failure names.

mod calls;
mod ground;

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::to_bytes;
use axum::http::StatusCode;
use borg_mcp::testing::request;
use tower::ServiceExt as _;

use calls::Calls;
use ground::Ground;

/// The largest answer that the transport lets through.
const ANSWER_LIMIT: usize = 48 * 1024 * 1024;
/// The longest that a tool may take, and some more.
const TIME: Duration = Duration::from_secs(25);
/// A server lets a burst of this many through; a new one starts with a full bucket.
const BURST: usize = 150;
/// How many calls one ground is used for: they fill it with files.
const CALLS: usize = 1500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Random enough, and the same again for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // Steele, Lea and Flood's SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Sends one call, and says what is wrong with the answer.
async fn judge(app: &Router, call: Vec<u8>) -> Result<(), String> {
    let start = Instant::now();
    let response = app.clone().oneshot(request(call)).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), ANSWER_LIMIT).await.map_err(|e| format!("too long: {e}"))?;
    if start.elapsed() > TIME {
        return Err(format!("took {:?}", start.elapsed()));
    }
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
    }
    if memchr::memmem::find(&body, b"this is a fault of borg-mcp-fs").is_some() {
        return Err("panicked".into());
    }
    match ground::leaked(&body) {
        Some(what) => Err(format!("leaked {what}")),
        None => Ok(()),
    }
}

#[tokio::test]
async fn nothing_that_is_asked_breaks_it_or_gets_out() {
    let seed = number("FUZZ_SEED").unwrap_or_else(|| {
        u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() & u128::from(u64::MAX)).unwrap()
    });
    let end = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(2));
    let mut calls = Calls::new(Dice(seed));
    let mut count = 0;
    while Instant::now() < end {
        let ground = Ground::new();
        for number in 0..CALLS {
            if Instant::now() >= end {
                break;
            }
            let app = if number.is_multiple_of(BURST) { Some(ground.app()) } else { None };
            calls.app = app.or(calls.app.take());
            let call = calls.next(&ground);
            let judged = judge(calls.app.as_ref().unwrap(), call.clone()).await;
            let text = String::from_utf8_lossy(&call).chars().take(2000).collect::<String>();
            assert_eq!(judged, Ok(()), "FUZZ_SEED={seed}, call {count}: {text}");
            count += 1;
        }
        assert_eq!(ground.changed(), None, "FUZZ_SEED={seed}, before call {count}");
    }
    assert!(count > 100, "only {count} calls");
    eprintln!("{count} calls, FUZZ_SEED={seed}");
}
