//! Clients that are told when resources change: by a subscription of the newest protocol, or as the session on stdio of an older
//! one. What changes, and when, is each service's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rmcp::model::{ResourceUpdatedNotificationParam, ServerCapabilities, SubscribeRequestMethod, SubscriptionFilter};
use rmcp::service::{Peer, RoleServer, SubscriptionSink};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The most subscriptions at once.
const SUBSCRIPTIONS: usize = 8;

/// Resources by their URIs.
pub type Uris = BTreeSet<String>;

/// Whom changes are told.
#[derive(Debug)]
pub enum Follower {
    Subscription(SubscriptionSink),
    Session(Peer<RoleServer>),
}

impl Follower {
    /// Says whether the client is still there.
    pub async fn tell(&self, uri: String) -> bool {
        match self {
            Follower::Subscription(sink) => sink.notify_resource_updated(uri).await.is_ok(),
            Follower::Session(peer) => {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_ok()
            }
        }
    }
}

/// How much may be followed by all clients together, and what the session's client has asked for.
#[derive(Debug)]
pub struct Follows {
    most: usize,
    resources: Arc<Semaphore>,
    subscriptions: Arc<Semaphore>,
    /// None where each request may be another client's.
    session: Option<Mutex<Session>>,
}

#[derive(Debug, Default)]
struct Session {
    wanted: BTreeMap<String, OwnedSemaphorePermit>,
    /// There once something was asked for.
    told: Option<watch::Sender<Uris>>,
}

impl Follows {
    /// At most `most` resources. With `one_client`, who comes and goes with the process, that one may follow by older protocols too.
    #[must_use]
    pub fn new(most: usize, one_client: bool) -> Self {
        Follows {
            most,
            resources: Arc::new(Semaphore::new(most)),
            subscriptions: Arc::new(Semaphore::new(SUBSCRIPTIONS)),
            session: one_client.then(Mutex::default),
        }
    }

    /// What older protocols may be promised: without a session they have no way to be told of anything.
    pub fn amend(&self, capabilities: &mut ServerCapabilities) {
        if let Some(resources) = capabilities.resources.as_mut().filter(|_| self.session.is_none()) {
            resources.subscribe = None;
        }
    }

    /// Those of the resources that are `ours`, and not too many.
    pub fn accept(&self, requested: &SubscriptionFilter, ours: impl Fn(&str) -> bool) -> SubscriptionFilter {
        let uris = requested.resource_subscriptions.as_deref().unwrap_or_default().iter();
        let uris = uris.filter(|uri| ours(uri)).take(self.resources.available_permits());
        SubscriptionFilter::builder().resource_subscriptions(uris.cloned()).build()
    }

    /// What a subscription holds until it ends.
    ///
    /// # Errors
    /// When as much is followed as may be.
    pub fn room(&self, resources: usize) -> Result<[OwnedSemaphorePermit; 2], ErrorData> {
        let resources = u32::try_from(resources).unwrap_or(u32::MAX);
        let resources = Arc::clone(&self.resources).try_acquire_many_owned(resources).map_err(|_| self.full())?;
        let place = Arc::clone(&self.subscriptions).try_acquire_owned().map_err(|_| self.full())?;
        Ok([resources, place])
    }

    /// Adds to what the session is told of. Nobody tells it yet when it is the first: `start` sees to that, until the channel closes,
    /// which is when the session ends.
    ///
    /// # Errors
    /// When there is no session, when `fits` refuses the URI, or when as much is followed as may be.
    pub fn add(
        &self,
        uri: String,
        fits: impl FnOnce(&str) -> Result<(), ErrorData>,
        start: impl FnOnce(watch::Receiver<Uris>),
    ) -> Result<(), ErrorData> {
        let mut session = self.session()?.lock().unwrap_or_else(PoisonError::into_inner);
        fits(&uri)?;
        if session.wanted.contains_key(&uri) {
            return Ok(());
        }
        let place = Arc::clone(&self.resources).try_acquire_owned().map_err(|_| self.full())?;
        session.wanted.insert(uri, place);
        if !session.tell() {
            let (told, wanted) = watch::channel(session.uris());
            session.told = Some(told);
            start(wanted);
        }
        Ok(())
    }

    /// Takes from what the session is told of.
    ///
    /// # Errors
    /// When there is no session.
    pub fn remove(&self, uri: &str) -> Result<(), ErrorData> {
        let mut session = self.session()?.lock().unwrap_or_else(PoisonError::into_inner);
        session.wanted.remove(uri);
        session.tell();
        Ok(())
    }

    fn session(&self) -> Result<&Mutex<Session>, ErrorData> {
        self.session.as_ref().ok_or_else(ErrorData::method_not_found::<SubscribeRequestMethod>)
    }

    fn full(&self) -> ErrorData {
        let most = self.most;
        let text = format!("at most {most} resources are followed, and {SUBSCRIPTIONS} subscriptions kept, at once");
        ErrorData::invalid_request(text, None)
    }
}

impl Session {
    fn uris(&self) -> Uris {
        self.wanted.keys().cloned().collect()
    }

    /// Says whether there is somebody who follows.
    fn tell(&self) -> bool {
        let told = self.told.as_ref().filter(|told| !told.is_closed());
        told.map(|told| told.send_replace(self.uris())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(count: usize) -> SubscriptionFilter {
        let uris = (0..count).map(|number| format!("x:///{number}"));
        SubscriptionFilter::builder().resource_subscriptions(uris).build()
    }

    #[test]
    fn subscriptions_have_a_bound() {
        let follows = Follows::new(64, false);
        let accepted = || follows.accept(&uris(100), |_| true).resource_subscriptions.unwrap_or_default().len();
        assert_eq!(accepted(), 64);
        let _most = follows.room(63).unwrap();
        assert_eq!(accepted(), 1);
        assert!(follows.room(2).unwrap_err().message.contains("at most 64 resources"));
        let _rest: Vec<_> = (1..SUBSCRIPTIONS).map(|_| follows.room(0).unwrap()).collect();
        assert!(follows.room(0).is_err());
    }

    #[test]
    fn a_session_has_one_who_follows_until_that_one_ends() {
        let follows = Follows::new(2, true);
        let mut wanted = Vec::new();
        let mut add = |uri: &str| follows.add(uri.into(), |_| Ok(()), |receiver| wanted.push(receiver));
        add("x:///1").unwrap();
        add("x:///2").unwrap();
        assert!(add("x:///3").is_err());
        assert_eq!(wanted.len(), 1);
        assert_eq!(wanted[0].borrow().len(), 2);
        follows.remove("x:///1").unwrap();
        assert_eq!(wanted.pop().unwrap().borrow().len(), 1);
        follows.add("x:///4".into(), |_| Ok(()), |receiver| wanted.push(receiver)).unwrap();
        assert_eq!(wanted[0].borrow().len(), 2);
    }

    #[test]
    fn without_a_session_nothing_is_promised_or_taken() {
        let follows = Follows::new(2, false);
        let mut capabilities = ServerCapabilities::builder().enable_resources().enable_resources_subscribe().build();
        follows.amend(&mut capabilities);
        assert_eq!(capabilities.resources.unwrap().subscribe, None);
        assert!(follows.add("x:///1".into(), |_| Ok(()), |_| ()).is_err());
        assert!(follows.remove("x:///1").is_err());
    }
}
