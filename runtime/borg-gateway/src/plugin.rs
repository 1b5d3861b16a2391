//! One plugin: what is known of it, and its link while it is used.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolResult, JsonObject};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant as Deadline, timeout, timeout_at};

use crate::fault::Fault;
use crate::folder::{Found, Standing};
use crate::greet::{greet, tools};
use crate::link::Link;
use crate::names::List;
use crate::questions::{LinkFault, Progress};
use crate::times::Times;

/// After how many faults in a row a plugin waits, and how often that wait doubles.
const PATIENCE: u32 = 3;
const MOST_DOUBLINGS: u32 = 5;
/// How many calls a plugin works on at once: one that hangs must not take every caller's place.
const CALLS: usize = 4;

#[derive(Debug)]
pub struct Plugin {
    pub found: Found,
    times: Times,
    state: Mutex<State>,
    /// One starts it, others wait for that.
    turn: tokio::sync::Mutex<()>,
    calls: Semaphore,
    /// Whether it was asked for its tools to an end, good or bad.
    settled: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Kept while it rests and while it is asked again. None before it has named them, and when it cannot any more.
    tools: Option<List>,
    /// It says that it has others now.
    stale: bool,
    /// It is asked for them.
    asking: bool,
    /// When it was first asked for them, and when it was last asked again.
    asked: Option<Instant>,
    renewed: Option<Instant>,
    link: Option<Arc<Link>>,
    /// Kept until it has worked again.
    fault: Option<String>,
    /// Faults without a good answer between them.
    faults: u32,
    /// Until when it is not tried again.
    waits: Option<Instant>,
}

impl Plugin {
    pub fn new(found: Found, times: Times) -> Self {
        let (calls, settled) = (Semaphore::new(CALLS), watch::Sender::new(false));
        Plugin { found, times, state: Mutex::default(), turn: tokio::sync::Mutex::default(), calls, settled }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tools(&self) -> Option<List> {
        self.state().tools.clone()
    }

    pub fn fault(&self) -> Option<String> {
        self.state().fault.clone()
    }

    /// Says whether its tools should be asked for, and if so that it is done. Ends with [`Plugin::end_asking`].
    pub fn begin_asking(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        if !self.is_wanting(&mut state, now) {
            return false;
        }
        state.asking = true;
        state.stale = false;
        if state.tools.is_some() {
            state.renewed = Some(now);
        }
        state.asked.get_or_insert(now);
        true
    }

    pub fn end_asking(&self) {
        self.state().asking = false;
        self.settled.send_replace(true);
    }

    fn is_wanting(&self, state: &mut State, now: Instant) -> bool {
        state.stale |= state.link.as_ref().is_some_and(|link| link.take_tools_changed());
        let ready = state.waits.is_none_or(|until| until <= now);
        let renews = state.stale && state.renewed.is_none_or(|last| last + self.times.renew <= now);
        let wants = state.tools.is_none() || renews;
        matches!(self.found.standing, Standing::Runs(_)) && ready && wants && !state.asking
    }

    /// Waits while it is asked for its tools for the first time, and not for long.
    pub async fn settled(&self) {
        let Some(asked) = self.state().asked else { return };
        let mut settled = self.settled.subscribe();
        let _ = timeout_at((asked + self.times.list).into(), settled.wait_for(|settled| *settled)).await;
    }

    /// Learns its tools, starting it if it does not run.
    pub async fn learn(&self, place: impl FnOnce() -> Option<OwnedSemaphorePermit>) {
        let Ok(link) = self.link(place).await else { return };
        let named = timeout(self.times.start, tools(&link)).await;
        match named.unwrap_or_else(|_| Err("it did not name its tools in time".into())) {
            Ok(tools) => {
                let mut state = self.state();
                state.tools = Some(List::renew(state.tools.take(), tools));
                state.fault = None;
            }
            Err(fault) => {
                self.state().tools = None;
                self.failed(Some(&link), &fault);
            }
        }
    }

    pub async fn call(
        &self,
        place: impl FnOnce() -> Option<OwnedSemaphorePermit>,
        tool: &str,
        arguments: JsonObject,
        progress: Option<Progress>,
        until: Deadline,
    ) -> Result<CallToolResult, Fault> {
        let begun = Instant::now();
        let Ok(Ok(_turn)) = timeout(self.times.turn, self.calls.acquire()).await else {
            return Err(self.named(&format!("it works on {CALLS} other calls; try again later")));
        };
        let late = |started: Duration| {
            let (all, started) = (begun.elapsed().as_secs(), started.as_secs());
            Fault::Late(
                self.named(&format!("no answer within {all} s, {started} s of which it took to start")).to_string(),
            )
        };
        let link = timeout_at(until, self.link(place)).await.map_err(|_| late(begun.elapsed()))?;
        let link = link.map_err(|fault| self.named(&fault))?;
        let started = begun.elapsed();
        link.touch();
        let params = json!({ "name": tool, "arguments": arguments });
        let (asked, own) = (link.ask("tools/call", params, progress), Deadline::now() + self.times.call);
        let answer = match timeout_at(own.min(until), asked).await {
            Ok(Ok(result)) => serde_json::from_value(result)
                .map_err(|e| LinkFault::Broken(format!("its answer is no result of a tool: {e}"))),
            Ok(Err(fault)) => Err(fault),
            // It had less than its time, and the others' calls of it go on.
            Err(_) if until < own => return Err(late(started)),
            Err(_) => Err(LinkFault::Broken(format!("no answer within {} s", self.times.call.as_secs()))),
        };
        link.touch();
        match answer {
            Ok(result) => {
                self.worked();
                Ok(result)
            }
            Err(LinkFault::Answered(error)) => {
                self.worked();
                Err(Fault::Answered(error))
            }
            Err(LinkFault::Broken(fault)) => {
                self.failed(Some(&link), &fault);
                Err(self.named(&fault))
            }
        }
    }

    /// Ends it if it says nothing after a call was cancelled: it may go on with that for ever.
    pub async fn prod(&self) {
        let Some(link) = self.state().link.clone() else { return };
        if timeout(self.times.ping, link.ask("ping", json!({}), None)).await.is_err() {
            self.failed(Some(&link), "it did not stop when a call was cancelled");
        }
    }

    fn named(&self, fault: &str) -> Fault {
        Fault::Source(format!("plugin {}: {fault}", self.found.name))
    }

    /// The link, made if there is none.
    async fn link(&self, place: impl FnOnce() -> Option<OwnedSemaphorePermit>) -> Result<Arc<Link>, String> {
        let _turn = self.turn.lock().await;
        let host = match &self.found.standing {
            Standing::Runs(host) => host,
            Standing::Refused(why) | Standing::Broken(why) => return Err(why.clone()),
        };
        if let Some(link) = self.open_link()? {
            return Ok(link);
        }
        let place = place().ok_or("as many plugins as may are at work; try again")?;
        let started = timeout(self.times.start, self.start(host, place)).await;
        match started.unwrap_or_else(|_| Err("it did not start in time".into())) {
            Ok(link) => Ok(self.started(link)),
            Err(fault) => {
                self.failed(None, &fault);
                Err(fault)
            }
        }
    }

    /// The link that is there; an error while the plugin has to wait.
    fn open_link(&self) -> Result<Option<Arc<Link>>, String> {
        let mut state = self.state();
        if let Some(link) = state.link.as_ref().filter(|link| link.is_open()) {
            return Ok(Some(Arc::clone(link)));
        }
        state.link = None;
        let Some(left) = state.waits.and_then(|until| until.checked_duration_since(Instant::now())) else {
            return Ok(None);
        };
        let last = state.fault.as_deref().unwrap_or_default();
        Err(format!(
            "it failed {} times in a row and is tried again in {} s; the last: {last}",
            state.faults,
            left.as_secs()
        ))
    }

    async fn start(&self, host: &Path, place: OwnedSemaphorePermit) -> Result<Link, String> {
        let link = Link::open(host, self.found.request()?, place).await?;
        greet(&link).await?;
        Ok(link)
    }

    fn started(&self, link: Link) -> Arc<Link> {
        let link = Arc::new(link);
        let mut state = self.state();
        state.link = Some(Arc::clone(&link));
        link
    }

    fn worked(&self) {
        let mut state = self.state();
        (state.faults, state.waits, state.fault) = (0, None, None);
    }

    /// Counts a fault, of a link once. Others that wait for the same link are told as well.
    fn failed(&self, link: Option<&Arc<Link>>, fault: &str) {
        if let Some(link) = link {
            link.close(fault);
        }
        let mut state = self.state();
        let current = state.link.as_ref();
        if link.is_some_and(|link| current.is_none_or(|current| !Arc::ptr_eq(link, current))) {
            return;
        }
        state.link = None;
        state.fault = Some(fault.to_owned());
        state.faults += 1;
        if link.is_none() {
            state.tools = None;
        }
        if state.faults >= PATIENCE {
            let doublings = (state.faults - PATIENCE).min(MOST_DOUBLINGS);
            state.waits = Some(Instant::now() + self.times.wait * 2_u32.pow(doublings));
            state.tools = None;
        }
    }

    /// When the link was used last, if it is there and nobody uses it.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        // Whoever uses it has a share in it.
        state.link.as_ref().filter(|link| Arc::strong_count(link) == 1).map(|link| link.used())
    }

    /// Ends the link, if nobody uses it.
    pub fn rest(&self) {
        let mut state = self.state();
        if state.link.as_ref().is_some_and(|link| Arc::strong_count(link) == 1) {
            state.link = None;
        }
    }
}

#[cfg(test)]
#[path = "plugin_tests.rs"]
mod tests;
