//! One client on standard input and output, who may ask faster than it reads.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientNotification, ClientRequest, GetExtensions as _,
    GetMeta as _, JsonRpcMessage, RequestId, ServerNotification,
};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ServerHandler, ServiceExt as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::large::Slot;
use crate::output::Output;

/// Serves until the client closes its side, or SIGTERM or SIGINT.
pub async fn serve(tools: impl ServerHandler) -> Result<(), crate::Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (input, output) = rmcp::transport::stdio();
    let serving = async {
        tools.serve(Bounded::new(AsyncRwTransport::new(input, output))).await?.waiting().await?;
        Ok(())
    };
    tokio::select! {
        result = serving => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// How many requests may be unanswered; the next is left in the pipe until then.
const SLOTS: usize = 4;

/// A transport that takes no request while too many are unanswered, and an answer not read is none. A subscription, which
/// is answered when it ends, counts until it is acknowledged.
struct Bounded<T: Transport<RoleServer>> {
    /// What it writes, of its own accord or for us, goes to standard output as a whole.
    inner: T,
    output: Output,
    open: Arc<Open>,
    /// A request that came when too many were unanswered.
    kept: Option<RxJsonRpcMessage<RoleServer>>,
}

struct Open {
    slots: Arc<Semaphore>,
    requests: Mutex<HashMap<RequestId, Held>>,
    subscriptions: Mutex<HashSet<RequestId>>,
}

/// What an unanswered request has: a slot, and a place where its answer may leave a text.
struct Held {
    _slot: OwnedSemaphorePermit,
    text: Option<Slot>,
}

impl Open {
    fn requests(&self) -> MutexGuard<'_, HashMap<RequestId, Held>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscriptions(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Transport<RoleServer>> Bounded<T> {
    fn new(inner: T) -> Self {
        let slots = Arc::new(Semaphore::new(SLOTS));
        let open = Open { slots, requests: Mutex::default(), subscriptions: Mutex::default() };
        Bounded { inner, output: Output::new(), open: Arc::new(open), kept: None }
    }

    /// Hands on the request that was kept, once there is a slot for it. Nothing is lost when this is dropped.
    async fn admit(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let slot = Arc::clone(&self.open.slots).acquire_owned().await.ok()?;
        let mut message = self.kept.take()?;
        if let JsonRpcMessage::Request(request) = &mut message {
            let text = Slot::new();
            if let Some(text) = &text {
                request.request.extensions_mut().insert(text.clone());
            }
            if matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)) {
                self.open.subscriptions().insert(request.id.clone());
            }
            self.open.requests().insert(request.id.clone(), Held { _slot: slot, text });
        }
        Some(message)
    }

    fn heard(&self, message: &RxJsonRpcMessage<RoleServer>) {
        if let JsonRpcMessage::Notification(note) = message
            && let ClientNotification::CancelledNotification(cancelled) = &note.notification
            && let Some(id) = &cancelled.params.request_id
        {
            // It may be answered or not; if its answer is on its way, that keeps the slot.
            self.open.requests().remove(id);
            self.open.subscriptions().remove(id);
        }
    }

    /// A client that has left has no use for its subscriptions, and answers are waited for.
    fn unsubscribe(&self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let mut open = self.open.subscriptions();
        let id = open.iter().next().cloned()?;
        open.remove(&id);
        let params = CancelledNotificationParam::new(Some(id), Some("the client has left".into()));
        let cancelled = CancelledNotification::new(params);
        Some(JsonRpcMessage::notification(ClientNotification::CancelledNotification(cancelled)))
    }
}

/// The request whose slot a message frees, when it has been read.
fn frees(message: &TxJsonRpcMessage<RoleServer>) -> Option<RequestId> {
    match message {
        JsonRpcMessage::Response(response) => Some(response.id.clone()),
        JsonRpcMessage::Error(error) => error.id.clone(),
        JsonRpcMessage::Notification(note) => match &note.notification {
            ServerNotification::SubscriptionsAcknowledgedNotification(_) => {
                note.notification.get_meta().subscription_id()
            }
            _ => None,
        },
        JsonRpcMessage::Request(_) => None,
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Bounded<T> {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answers = matches!(message, JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_));
        let id = frees(&message);
        // Before it can be read: the client may use the number again at once.
        let held = id.as_ref().and_then(|id| self.open.requests().remove(id));
        if let Some(id) = id.filter(|_| answers) {
            self.open.subscriptions().remove(&id);
        }
        let output = self.output.clone();
        async move {
            let line = Bytes::from(serde_json::to_vec(&message)?);
            drop(message);
            let pieces = match held.as_ref().and_then(|held| held.text.as_ref()) {
                Some(text) => text.fill(line),
                None => vec![line],
            };
            let sent = output.write(pieces).await;
            drop(held);
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        if self.kept.is_none() {
            let Some(message) = self.inner.receive().await else { return self.unsubscribe() };
            if !matches!(message, JsonRpcMessage::Request(_)) {
                self.heard(&message);
                return Some(message);
            }
            self.kept = Some(message);
        }
        self.admit().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await.map_err(io::Error::other)
    }
}
