//! Clients that are told of new lines: by a subscription of the newest protocol, or as the session on stdio of an older one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, RoleServer, SubscriptionSink};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::history::{History, Ports};
use crate::record::Record;

/// A port's resource is this and its path.
pub const SCHEME: &str = "serial://";
/// The most ports that all clients together may be told of.
const PORTS: usize = 64;
/// The most subscriptions at once.
const SUBSCRIPTIONS: usize = 8;
/// Lines that come within this time are told together.
const TOGETHER: Duration = Duration::from_millis(100);
/// A path has no more bytes than this.
const LONGEST: usize = 4096;

/// Whom new lines are told.
#[derive(Debug)]
pub enum Client {
    Subscription(SubscriptionSink),
    Session(Peer<RoleServer>),
}

impl Client {
    /// Says whether the client is still there.
    async fn tell(&self, port: &str) -> bool {
        let uri = format!("{SCHEME}{port}");
        match self {
            Client::Subscription(sink) => sink.notify_resource_updated(uri).await.is_ok(),
            Client::Session(peer) => {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_ok()
            }
        }
    }
}

/// How much may be followed, and what the session's client has asked for.
#[derive(Debug)]
pub struct Follows {
    ports: Arc<Semaphore>,
    subscriptions: Arc<Semaphore>,
    /// None where each request may be another client's.
    session: Option<Mutex<Session>>,
}

#[derive(Debug, Default)]
struct Session {
    wanted: BTreeMap<String, OwnedSemaphorePermit>,
    /// There once something was asked for.
    told: Option<watch::Sender<Ports>>,
}

impl Follows {
    pub fn new(one_client: bool) -> Self {
        Follows {
            ports: Arc::new(Semaphore::new(PORTS)),
            subscriptions: Arc::new(Semaphore::new(SUBSCRIPTIONS)),
            session: one_client.then(Mutex::default),
        }
    }

    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Those of the URIs that can be followed: of ports, there or not yet, and not too many.
    pub fn accept<'a>(&self, uris: &'a [String]) -> impl Iterator<Item = &'a String> {
        uris.iter().filter(|uri| port(uri).is_some()).take(self.ports.available_permits())
    }

    /// What a subscription holds until it ends.
    pub fn room(&self, ports: usize) -> Result<[OwnedSemaphorePermit; 2], ErrorData> {
        let ports = u32::try_from(ports).unwrap_or(u32::MAX);
        let ports = Arc::clone(&self.ports).try_acquire_many_owned(ports).map_err(|_| full())?;
        let place = Arc::clone(&self.subscriptions).try_acquire_owned().map_err(|_| full())?;
        Ok([ports, place])
    }

    /// Adds to what the session is told of; nothing if there is no session.
    pub fn add(&self, record: &Arc<Record>, uri: &str, peer: Peer<RoleServer>) -> Option<Result<(), ErrorData>> {
        let mut session = self.session.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(port) = port(uri) else {
            let text = format!("{uri}: not the URI of a port, such as {SCHEME}/dev/ttyUSB0");
            return Some(Err(ErrorData::resource_not_found(text, None)));
        };
        if session.wanted.contains_key(port) {
            return Some(Ok(()));
        }
        let Ok(place) = Arc::clone(&self.ports).try_acquire_owned() else { return Some(Err(full())) };
        session.wanted.insert(port.to_owned(), place);
        session.tell(record, peer);
        Some(Ok(()))
    }

    pub fn remove(&self, uri: &str) -> Option<()> {
        let mut session = self.session.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        session.wanted.remove(port(uri).unwrap_or_default());
        let ports = session.ports();
        if let Some(told) = &session.told {
            told.send_replace(ports);
        }
        Some(())
    }
}

impl Session {
    fn ports(&self) -> Ports {
        self.wanted.keys().cloned().collect()
    }

    fn tell(&mut self, record: &Arc<Record>, peer: Peer<RoleServer>) {
        let ports = self.ports();
        if let Some(told) = self.told.as_ref().filter(|told| !told.is_closed()) {
            told.send_replace(ports);
            return;
        }
        let (told, wanted) = watch::channel(ports);
        self.told = Some(told);
        let (record, from) = (Arc::clone(record), record.history.newest());
        // Ends with the session, whose tools hold the other end.
        tokio::spawn(async move { follow(&record.history, from, wanted, Client::Session(peer)).await });
    }
}

/// The port that a URI names.
pub fn port(uri: &str) -> Option<&str> {
    uri.strip_prefix(SCHEME).filter(|port| port.starts_with('/') && port.len() <= LONGEST)
}

fn full() -> ErrorData {
    let text = format!("at most {PORTS} ports are followed, and {SUBSCRIPTIONS} subscriptions kept, at once");
    ErrorData::invalid_request(text, None)
}

/// Tells `client` of each port that is wanted and has lines after `from`, once for all that came together, until it is gone
/// or nobody can want any more.
pub async fn follow(history: &History, mut from: u64, wanted: watch::Receiver<Ports>, client: Client) {
    let mut newer = history.follow();
    // What came since `from` is new too.
    newer.mark_changed();
    while newer.changed().await.is_ok() {
        tokio::time::sleep(TOGETHER).await;
        if wanted.has_changed().is_err() {
            return;
        }
        newer.borrow_and_update();
        let ports = wanted.borrow().clone();
        let (cursor, changed) = history.ports_since(from, &ports);
        from = cursor;
        for port in changed {
            if !client.tell(port).await {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_named_by_its_path() {
        assert_eq!(port("serial:///dev/ttyS1"), Some("/dev/ttyS1"));
        for uri in
            ["", "serial://", "serial://dev/ttyS1", "file:///dev/ttyS1", &format!("serial:///{}", "x".repeat(4096))]
        {
            assert_eq!(port(uri), None, "{uri}");
        }
    }

    #[test]
    fn subscriptions_have_a_bound() {
        let follows = Follows::new(false);
        let uris: Vec<String> = (0..100).map(|number| format!("serial:///dev/ttyS{number}")).collect();
        assert_eq!(follows.accept(&uris).count(), PORTS);
        let _most = follows.room(PORTS - 1).unwrap();
        assert_eq!(follows.accept(&uris).count(), 1);
        assert!(follows.room(2).unwrap_err().message.contains("at most 64 ports"));
        let _rest: Vec<_> = (1..SUBSCRIPTIONS).map(|_| follows.room(0).unwrap()).collect();
        assert!(follows.room(0).is_err());
    }
}
