//! Clients that are told of new lines.

use std::time::Duration;

use borg_mcp::follow::{Follower, Uris};
use tokio::sync::watch;

use crate::history::{History, Ports};

/// A port's resource is this and its path.
pub const SCHEME: &str = "serial://";
/// The most ports that all clients together may be told of.
pub const PORTS: usize = 64;
/// Lines that come within this time are told together.
const TOGETHER: Duration = Duration::from_millis(100);
/// A path has no more bytes than this.
const LONGEST: usize = 4096;

/// The port that a URI names.
pub fn port(uri: &str) -> Option<&str> {
    uri.strip_prefix(SCHEME).filter(|port| port.starts_with('/') && port.len() <= LONGEST)
}

/// Tells `client` of each port that is wanted and has lines after `from`, once for all that came together, until it is gone
/// or nobody can want any more.
pub async fn follow(history: &History, mut from: u64, wanted: watch::Receiver<Uris>, client: Follower) {
    let mut newer = history.follow();
    // What came since `from` is new too.
    newer.mark_changed();
    while newer.changed().await.is_ok() {
        tokio::time::sleep(TOGETHER).await;
        if wanted.has_changed().is_err() {
            return;
        }
        newer.borrow_and_update();
        let ports: Ports = wanted.borrow().iter().filter_map(|uri| port(uri)).map(str::to_owned).collect();
        let (cursor, changed) = history.ports_since(from, &ports);
        from = cursor;
        for port in changed {
            if !client.tell(format!("{SCHEME}{port}")).await {
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
}
