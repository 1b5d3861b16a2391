//! Sessions, without which clients of the protocols before 2026-07-28 can be asked nothing, and told nothing of their own.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, LocalSessionManagerError};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What clients of the protocols before 2026-07-28 get; later ones know no sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sessions {
    /// Nothing that piles up: each request stands for itself.
    #[default]
    None,
    /// So many at once. The one unused longest ends when another begins, and each after five minutes at rest.
    AtMost(usize),
}

/// How long a session may rest.
const IDLE_TIME: Duration = Duration::from_mins(5);
/// How long a client may take from the connection to its `initialize`, which come together.
const INIT_TIME: Duration = Duration::from_secs(10);

type Local = <LocalSessionManager as SessionManager>::Transport;

/// Keeps sessions in memory, and both their number and what they work on within bounds.
#[derive(Debug)]
pub struct Manager {
    local: LocalSessionManager,
    at_most: usize,
    /// The one unused longest comes first.
    open: Mutex<Vec<Session>>,
    /// For the unanswered requests of all. The gate does not know when these are done: who hangs up may come back for the answer.
    places: Arc<Semaphore>,
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    requests: Requests,
}

/// The unanswered requests of a session, each with its place.
#[derive(Debug, Clone, Default)]
struct Requests(Arc<Mutex<HashMap<RequestId, OwnedSemaphorePermit>>>);

impl Requests {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, OwnedSemaphorePermit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a session does not do what it is told.
#[derive(Debug)]
pub enum Fault {
    Local(LocalSessionManagerError),
    /// Too many requests are unanswered.
    Busy,
    /// An unanswered request has the same number.
    Taken,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Local(fault) => fault.fmt(f),
            Fault::Busy => f.write_str("too many requests are unanswered"),
            Fault::Taken => f.write_str("a request with this id is unanswered"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<LocalSessionManagerError> for Fault {
    fn from(fault: LocalSessionManagerError) -> Self {
        Fault::Local(fault)
    }
}

impl Manager {
    /// `requests` may be unanswered at once, of all sessions together.
    pub fn new(sessions: Sessions, requests: usize) -> Self {
        let mut local = LocalSessionManager::default();
        local.session_config.keep_alive = Some(IDLE_TIME);
        local.session_config.init_timeout = Some(INIT_TIME);
        let at_most = match sessions {
            Sessions::None => 0,
            Sessions::AtMost(count) => count,
        };
        Manager { local, at_most, open: Mutex::default(), places: Arc::new(Semaphore::new(requests)) }
    }

    fn open(&self) -> MutexGuard<'_, Vec<Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a session, and takes out those that it is one too many for.
    fn admit(&self, session: Session) -> Vec<Session> {
        let mut open = self.open();
        open.push(session);
        let many = open.len().saturating_sub(self.at_most);
        open.drain(..many).collect()
    }

    /// Gives a request its place until it is answered.
    fn begin(&self, session: &SessionId, request: RequestId) -> Result<(), Fault> {
        let open = self.open();
        // One that has just ended is for rmcp to name.
        let Some(session) = open.iter().find(|open| open.id == *session) else { return Ok(()) };
        let mut requests = session.requests.lock();
        if requests.contains_key(&request) {
            return Err(Fault::Taken);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Fault::Busy)?;
        requests.insert(request, place);
        Ok(())
    }

    fn end(&self, session: &SessionId, request: &RequestId) {
        if let Some(session) = self.open().iter().find(|open| open.id == *session) {
            session.requests.lock().remove(request);
        }
    }
}

impl SessionManager for Manager {
    type Error = Fault;
    type Transport = Answering<Local>;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Fault> {
        let (id, inner) = self.local.create_session().await?;
        let requests = Requests::default();
        for old in self.admit(Session { id: Arc::clone(&id), requests: requests.clone() }) {
            self.local.close_session(&old.id).await?;
        }
        Ok((id, Answering { inner, requests }))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Fault> {
        Ok(self.local.initialize_session(id, message).await?)
    }

    /// Every request of a session asks this first, so it is also how we know that the session is in use.
    async fn has_session(&self, id: &SessionId) -> Result<bool, Fault> {
        {
            let mut open = self.open();
            if let Some(at) = open.iter().position(|open| open.id == *id) {
                let session = open.remove(at);
                open.push(session);
            }
        }
        Ok(self.local.has_session(id).await?)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Fault> {
        self.open().retain(|open| open.id != *id);
        Ok(self.local.close_session(id).await?)
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Fault> {
        let request = match &message {
            JsonRpcMessage::Request(request) => Some(request.id.clone()),
            _ => None,
        };
        if let Some(request) = &request {
            self.begin(id, request.clone())?;
        }
        let stream = self.local.create_stream(id, message).await;
        if let (Err(_), Some(request)) = (&stream, &request) {
            self.end(id, request);
        }
        Ok(stream?)
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Fault> {
        if let JsonRpcMessage::Notification(note) = &message
            && let ClientNotification::CancelledNotification(cancelled) = &note.notification
            && let Some(request) = &cancelled.params.request_id
        {
            self.end(id, request);
        }
        Ok(self.local.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Fault> {
        Ok(self.local.create_standalone_stream(id).await?)
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Fault> {
        Ok(self.local.resume(id, last_event_id).await?)
    }
}

/// A session as its tools see it: what they answer is no longer unanswered.
#[derive(Debug)]
pub struct Answering<T> {
    inner: T,
    requests: Requests,
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Answering<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            _ => None,
        };
        // Before it can be read: the client may use the number again at once.
        let place = answered.and_then(|id| self.requests.lock().remove(&id));
        let sending = self.inner.send(message);
        async move {
            let sent = sending.await;
            drop(place);
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.inner.receive().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
