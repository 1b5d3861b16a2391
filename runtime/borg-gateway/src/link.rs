//! One plugin at work: MCP, a message a line, over the socket of the host that runs it. The host ends the plugin when
//! the connection closes, and that closes when the link is dropped.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::lines::Lines;
use crate::message;
use crate::questions::{LinkFault, Progress, Questions};

/// How many messages may wait until the plugin reads them.
const WAITING: usize = 4;
/// How long the last words of one that went may take to arrive.
const FAREWELL: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct Link {
    to: mpsc::Sender<String>,
    questions: Arc<Mutex<Questions>>,
    used: Mutex<Instant>,
    /// Has the connection, which closes with it.
    task: AbortHandle,
    _place: OwnedSemaphorePermit,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// Connects to the host and sends it `first`, which says what to run.
    pub async fn open(host: &Path, first: String, place: OwnedSemaphorePermit) -> Result<Self, String> {
        let fault = |e: std::io::Error| format!("cannot reach the plugin host at {}: {e}", host.display());
        let stream = UnixStream::connect(host).await.map_err(fault)?;
        let (to, outgoing) = mpsc::channel(WAITING);
        let questions = Arc::new(Mutex::new(Questions::default()));
        let task = tokio::spawn(talk(stream, outgoing, Arc::clone(&questions), to.clone())).abort_handle();
        let link = Link { to, questions, used: Mutex::new(Instant::now()), task, _place: place };
        link.send(first).await?;
        Ok(link)
    }

    /// Asks, and waits for the answer. Dropping this cancels the question.
    pub async fn ask(&self, method: &str, mut params: Value, progress: Option<Progress>) -> Result<Value, LinkFault> {
        let (answer, answered) = oneshot::channel();
        let tells = progress.is_some();
        let id = lock(&self.questions).add(answer, progress).map_err(LinkFault::Broken)?;
        if tells {
            params["_meta"] = json!({ "progressToken": id });
        }
        let _asked = Asked { link: self, id };
        self.send(message::request(id, method, params)).await.map_err(LinkFault::Broken)?;
        answered.await.unwrap_or_else(|_| Err(LinkFault::Broken("it ended".into())))
    }

    pub async fn tell(&self, method: &str, params: Value) -> Result<(), String> {
        self.send(message::notification(method, params)).await
    }

    async fn send(&self, line: String) -> Result<(), String> {
        self.to.send(line).await.map_err(|_| lock(&self.questions).why())
    }

    pub fn is_open(&self) -> bool {
        !lock(&self.questions).is_over()
    }

    /// Whether the plugin said that it has other tools now; once.
    pub fn take_tools_changed(&self) -> bool {
        lock(&self.questions).take_tools_changed()
    }

    /// When it was asked last.
    pub fn used(&self) -> Instant {
        *lock(&self.used)
    }

    pub fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    /// Closes the connection; whoever still waits is told why.
    pub fn close(&self, why: &str) {
        lock(&self.questions).finish(why);
        self.task.abort();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A question that is open until this is dropped.
struct Asked<'a> {
    link: &'a Link,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if lock(&self.link.questions).forget(self.id) {
            let params = json!({ "requestId": self.id, "reason": "the caller does not wait any more" });
            // One that does not read does not hear it either.
            let _ = self.link.to.try_send(message::notification("notifications/cancelled", params));
        }
    }
}

/// Until one side is done with it.
async fn talk(
    stream: UnixStream,
    outgoing: mpsc::Receiver<String>,
    questions: Arc<Mutex<Questions>>,
    to: mpsc::Sender<String>,
) {
    let (read, write) = stream.into_split();
    let why = tokio::select! {
        why = listen(read, &questions, &to) => why,
        why = speak(write, outgoing) => why,
    };
    lock(&questions).finish(&why);
}

async fn listen(read: OwnedReadHalf, questions: &Mutex<Questions>, to: &mpsc::Sender<String>) -> String {
    let mut lines = Lines::new(read);
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => return "it ended".into(),
            Err(why) => return why,
        };
        let reply = match lock(questions).take(line) {
            Ok(reply) => reply,
            Err(why) => return why,
        };
        if reply.is_some_and(|reply| to.try_send(reply).is_err()) {
            return "it asks and does not read".into();
        }
    }
}

async fn speak(mut write: OwnedWriteHalf, mut outgoing: mpsc::Receiver<String>) -> String {
    while let Some(mut line) = outgoing.recv().await {
        line.push('\n');
        if write.write_all(line.as_bytes()).await.is_err() {
            // What it said before it went is more telling, if there is anything.
            tokio::time::sleep(FAREWELL).await;
            break;
        }
    }
    "it does not read any more".into()
}
