//! The questions to a plugin that have no answer yet, and what comes from it meanwhile.

use std::collections::HashMap;

use rmcp::ErrorData;
use rmcp::model::{NumberOrString, ProgressNotificationParam};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::message::{self, Message};

/// The most bytes that a plugin may send without answering anything.
const UNASKED_LIMIT: usize = 64 * 1024 * 1024;

/// Where the progress of a call goes.
pub type Progress = mpsc::Sender<ProgressNotificationParam>;

/// Where the answer goes.
pub type Answer = oneshot::Sender<Result<Value, LinkFault>>;

/// Why a question has no answer.
#[derive(Debug)]
pub enum LinkFault {
    Answered(ErrorData),
    Broken(String),
}

#[derive(Debug, Default)]
pub struct Questions {
    next: u64,
    waiting: HashMap<u64, Waiting>,
    /// Why it ended, once it did.
    end: Option<String>,
    /// Bytes since the last answer.
    unasked: usize,
    tools_changed: bool,
}

#[derive(Debug)]
struct Waiting {
    answer: Answer,
    progress: Option<Progress>,
}

impl Questions {
    /// Adds a question and gives its number.
    pub fn add(&mut self, answer: Answer, progress: Option<Progress>) -> Result<u64, String> {
        if self.end.is_some() {
            return Err(self.why());
        }
        self.next += 1;
        self.waiting.insert(self.next, Waiting { answer, progress });
        Ok(self.next)
    }

    /// Forgets a question; says whether it was still open.
    pub fn forget(&mut self, id: u64) -> bool {
        self.waiting.remove(&id).is_some()
    }

    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    pub fn take_tools_changed(&mut self) -> bool {
        std::mem::take(&mut self.tools_changed)
    }

    /// Why it is over.
    pub fn why(&self) -> String {
        self.end.clone().unwrap_or_else(|| "it ended".into())
    }

    /// Tells all that wait that it is over.
    pub fn finish(&mut self, why: &str) {
        if self.end.is_none() {
            self.end = Some(why.to_owned());
        }
        for (_, waiting) in self.waiting.drain() {
            let _ = waiting.answer.send(Err(LinkFault::Broken(why.to_owned())));
        }
    }

    /// Takes a line; gives what has to be said to it.
    pub fn take(&mut self, line: &[u8]) -> Result<Option<String>, String> {
        self.unasked += line.len() + 1;
        if self.unasked > UNASKED_LIMIT {
            return Err(format!("it sent {} MiB that nobody asked for", UNASKED_LIMIT / 1024 / 1024));
        }
        match message::parse(line)? {
            Message::Answer { id, answer } => self.answer(id, answer),
            Message::End(why) => return Err(why),
            Message::Progress(progress) => self.progress(progress),
            Message::ToolsChanged => self.tools_changed = true,
            Message::Asked(reply) => return Ok(Some(reply)),
            Message::Noise => {}
        }
        Ok(None)
    }

    fn answer(&mut self, id: u64, answer: Result<Value, ErrorData>) {
        // A late answer to a question that was given up is noise.
        let Some(waiting) = self.waiting.remove(&id) else { return };
        self.unasked = 0;
        let _ = waiting.answer.send(answer.map_err(LinkFault::Answered));
    }

    fn progress(&self, progress: ProgressNotificationParam) {
        let NumberOrString::Number(id) = progress.progress_token.0 else { return };
        let waiting = u64::try_from(id).ok().and_then(|id| self.waiting.get(&id));
        if let Some(to) = waiting.and_then(|waiting| waiting.progress.as_ref()) {
            // Progress that the caller is too slow for is not missed.
            let _ = to.try_send(progress);
        }
    }
}
