//! One client on standard input and output, who may ask faster than it reads.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{ClientNotification, ClientRequest, JsonRpcMessage, RequestId};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ServerHandler, ServiceExt as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

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

/// A transport that takes no request while too many are unanswered, and an answer not read is none. Subscriptions, which
/// are answered when they end, do not count.
struct Bounded<T: Transport<RoleServer>> {
    inner: T,
    open: Arc<Open>,
    /// A request that came when too many were unanswered.
    kept: Option<RxJsonRpcMessage<RoleServer>>,
}

struct Open {
    slots: Semaphore,
    ids: Mutex<HashSet<RequestId>>,
}

impl Open {
    fn start(&self, id: RequestId) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// Frees the slot of a request that is open; a cancelled one may be answered or not.
    fn end(&self, id: &RequestId) {
        if self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(id) {
            self.slots.add_permits(1);
        }
    }
}

impl<T: Transport<RoleServer>> Bounded<T> {
    fn new(inner: T) -> Self {
        let open = Open { slots: Semaphore::new(SLOTS), ids: Mutex::default() };
        Bounded { inner, open: Arc::new(open), kept: None }
    }

    /// Hands on the request that was kept, once there is a slot for it. Nothing is lost when this is dropped.
    async fn admit(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let slot = self.open.slots.acquire().await.ok()?;
        let message = self.kept.take()?;
        if let JsonRpcMessage::Request(request) = &message {
            slot.forget();
            self.open.start(request.id.clone());
        }
        Some(message)
    }

    fn heard(&self, message: &RxJsonRpcMessage<RoleServer>) {
        if let JsonRpcMessage::Notification(note) = message
            && let ClientNotification::CancelledNotification(cancelled) = &note.notification
            && let Some(id) = &cancelled.params.request_id
        {
            self.open.end(id);
        }
    }
}

/// Requests that take a slot until they are answered.
fn counts(message: &RxJsonRpcMessage<RoleServer>) -> bool {
    matches!(message, JsonRpcMessage::Request(request) if !matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)))
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Bounded<T> {
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
        let open = Arc::clone(&self.open);
        let sending = self.inner.send(message);
        async move {
            let sent = sending.await;
            if let Some(id) = answered {
                open.end(&id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        if self.kept.is_none() {
            let message = self.inner.receive().await?;
            if !counts(&message) {
                self.heard(&message);
                return Some(message);
            }
            self.kept = Some(message);
        }
        self.admit().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
