//! Clients that are told when files change: by a subscription of the newest protocol, or as the session on stdio of an older
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, RoleServer, SubscriptionSink};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};

use crate::resources;
use crate::roots::Roots;
use crate::watch::Watcher;

/// The most files and folders that all clients together may have watched.
pub const WATCHES: usize = 64;
/// The most subscriptions at once.
const SUBSCRIPTIONS: usize = 8;
/// What changes within this time is told together.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often it is looked whether a path leads elsewhere than before, of which the kernel need not tell.
const LOOK: Duration = Duration::from_secs(5);

type Uris = BTreeSet<String>;

/// Clients' files are looked at one client at a time: where that hangs, the tools must still have threads.
pub type Looking = Arc<Mutex<()>>;

/// Whom changes are told.
#[derive(Debug)]
pub enum Client {
    Subscription(SubscriptionSink),
    Session(Peer<RoleServer>),
}

impl Client {
    /// Says whether the client is still there.
    async fn tell(&self, uri: String) -> bool {
        match self {
            Client::Subscription(sink) => sink.notify_resource_updated(uri).await.is_ok(),
            Client::Session(peer) => {
                peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_ok()
            }
        }
    }
}

/// How much may be watched, and what the session's client has asked for.
#[derive(Debug)]
pub struct Follows {
    watches: Arc<Semaphore>,
    subscriptions: Arc<Semaphore>,
    looking: Looking,
    /// None where each request may be another client's.
    session: Option<std::sync::Mutex<Session>>,
}

#[derive(Debug, Default)]
struct Session {
    wanted: BTreeMap<String, OwnedSemaphorePermit>,
    /// There once something was asked for.
    told: Option<watch::Sender<Uris>>,
}

impl Follows {
    pub fn new(one_client: bool) -> Self {
        Follows {
            watches: Arc::new(Semaphore::new(WATCHES)),
            subscriptions: Arc::new(Semaphore::new(SUBSCRIPTIONS)),
            looking: Looking::default(),
            session: one_client.then(std::sync::Mutex::default),
        }
    }

    pub fn looking(&self) -> Looking {
        Arc::clone(&self.looking)
    }

    /// Those of the URIs that can be watched: below a root, and not too many.
    pub fn accept(&self, roots: &Roots, uris: &[String]) -> Uris {
        let ours = |uri: &&String| is_below(roots, uri);
        uris.iter().filter(ours).take(self.watches.available_permits()).cloned().collect()
    }

    /// What a subscription holds until it ends.
    pub fn room(&self, watches: usize) -> Result<[OwnedSemaphorePermit; 2], ErrorData> {
        let watches = u32::try_from(watches).unwrap_or(u32::MAX);
        let watches = Arc::clone(&self.watches).try_acquire_many_owned(watches).map_err(|_| full())?;
        let place = Arc::clone(&self.subscriptions).try_acquire_owned().map_err(|_| full())?;
        Ok([watches, place])
    }

    /// Adds to what the session is told of; nothing if there is no session.
    pub fn add(&self, roots: &Arc<Roots>, uri: String, peer: Peer<RoleServer>) -> Option<Result<(), ErrorData>> {
        let mut session = self.session.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        if session.wanted.contains_key(&uri) {
            return Some(Ok(()));
        }
        if !is_below(roots, &uri) {
            let text = format!("{uri}: not the URI of a file below an allowed directory");
            return Some(Err(ErrorData::resource_not_found(text, None)));
        }
        let Ok(place) = Arc::clone(&self.watches).try_acquire_owned() else { return Some(Err(full())) };
        session.wanted.insert(uri, place);
        session.tell(roots, self.looking(), peer);
        Some(Ok(()))
    }

    pub fn remove(&self, uri: &str) -> Option<()> {
        let mut session = self.session.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        session.wanted.remove(uri);
        let uris = session.uris();
        if let Some(told) = &session.told {
            told.send_replace(uris);
        }
        Some(())
    }
}

impl Session {
    fn uris(&self) -> Uris {
        self.wanted.keys().cloned().collect()
    }

    fn tell(&mut self, roots: &Arc<Roots>, looking: Looking, peer: Peer<RoleServer>) {
        let uris = self.uris();
        if let Some(told) = self.told.as_ref().filter(|told| !told.is_closed()) {
            told.send_replace(uris);
            return;
        }
        let (told, wanted) = watch::channel(uris);
        self.told = Some(told);
        let roots = Arc::clone(roots);
        // Ends with the session, whose tools hold the other end; a fault ends it too, and the next request starts it anew.
        tokio::spawn(async move { follow(roots, looking, wanted, Client::Session(peer)).await });
    }
}

fn is_below(roots: &Roots, uri: &str) -> bool {
    resources::path(uri).is_ok_and(|path| roots.locate(&path).is_ok())
}

fn full() -> ErrorData {
    let text = format!("at most {WATCHES} files are watched, and {SUBSCRIPTIONS} subscriptions kept, at once");
    ErrorData::invalid_request(text, None)
}

/// Tells `client` what changes of the URIs that are wanted, until it is gone or nobody can want any more.
pub async fn follow(
    roots: Arc<Roots>,
    looking: Looking,
    mut wanted: watch::Receiver<Uris>,
    client: Client,
) -> io::Result<()> {
    let mut watcher = Watcher::new()?;
    #[expect(deprecated, reason = "its successor is unsafe, for descriptors that may be closed; this one is owned")]
    let news = AsyncFd::new(watcher.as_fd().try_clone_to_owned()?)?;
    wanted.mark_changed();
    loop {
        tokio::select! {
            changed = wanted.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let (roots, uris) = (Arc::clone(&roots), wanted.borrow_and_update().clone());
                (watcher, ()) = on(&looking, watcher, move |watcher| watcher.want(&roots, &uris)).await?;
                continue;
            }
            ready = news.readable() => {
                ready?.clear_ready();
                tokio::time::sleep(TOGETHER).await;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        let roots = Arc::clone(&roots);
        let look = move |watcher: &mut Watcher| &watcher.changed() | &watcher.look_again(&roots);
        let changed;
        (watcher, changed) = on(&looking, watcher, look).await?;
        for uri in changed {
            if !client.tell(uri).await {
                return Ok(());
            }
        }
    }
}

/// Works with the watcher on a thread that may block: opening a folder may wait for a network.
async fn on<T: Send + 'static>(
    looking: &Looking,
    mut watcher: Watcher,
    work: impl FnOnce(&mut Watcher) -> T + Send + 'static,
) -> io::Result<(Watcher, T)> {
    let turn = Arc::clone(looking).lock_owned().await;
    let working = tokio::task::spawn_blocking(move || {
        let result = work(&mut watcher);
        drop(turn);
        (watcher, result)
    });
    working.await.map_err(io::Error::other)
}
