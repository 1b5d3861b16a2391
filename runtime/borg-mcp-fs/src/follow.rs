//! Clients that are told when files change.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use borg_mcp::follow::{Follower, Uris};
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, watch};

use crate::roots::Roots;
use crate::watch::Watcher;

/// The most files and folders that all clients together may have watched.
pub const WATCHES: usize = 64;
/// What changes within this time is told together.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often it is looked whether a path leads elsewhere than before, of which the kernel need not tell.
const LOOK: Duration = Duration::from_secs(5);

/// Clients' files are looked at one client at a time: where that hangs, the tools must still have threads.
pub type Looking = Arc<Mutex<()>>;

/// Tells `client` what changes of the URIs that are wanted, until it is gone or nobody can want any more.
pub async fn follow(
    roots: Arc<Roots>,
    looking: Looking,
    mut wanted: watch::Receiver<Uris>,
    client: Follower,
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
