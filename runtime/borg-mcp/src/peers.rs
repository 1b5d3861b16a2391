//! Who is at the other end of a Unix socket, and whether they may ask without a token.

use axum::Router;
use axum::http::StatusCode;
use nix::unistd::{Gid, Group, Uid, User};
use tokio::net::unix::UCred;

/// root, the service's own user, and the users of a group.
#[derive(Debug, Clone)]
pub struct Peers {
    own: Uid,
    group: Option<String>,
}

impl Peers {
    pub fn new(group: Option<String>) -> Self {
        Peers { own: Uid::effective(), group }
    }

    pub fn may(&self, peer: UCred) -> bool {
        let uid = Uid::from_raw(peer.uid());
        uid.is_root() || uid == self.own || self.is_member(uid, Gid::from_raw(peer.gid()))
    }

    /// By the group database, which is asked each time: whoever leaves the group is out.
    fn is_member(&self, uid: Uid, gid: Gid) -> bool {
        let Some(group) = self.group.as_deref().and_then(|name| Group::from_name(name).ok().flatten()) else {
            return false;
        };
        let named = || User::from_uid(uid).ok().flatten().is_some_and(|user| group.mem.contains(&user.name));
        gid == group.gid || named()
    }
}

/// What others are answered, whatever they ask.
pub fn refusal() -> Router {
    let text = "this socket is for root and the users of its group\n";
    Router::new().fallback(move || async move { (StatusCode::FORBIDDEN, text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_opens_to_its_users_only() {
        let daemon = Gid::from_raw(1);
        let peers = Peers { own: Uid::from_raw(4242), group: Some("daemon".into()) };
        assert!(peers.is_member(Uid::from_raw(4243), daemon));
        assert!(!peers.is_member(Uid::from_raw(4243), Gid::from_raw(4243)));
        let gone = Peers { group: Some("no such group".into()), ..peers.clone() };
        assert!(!gone.is_member(Uid::from_raw(4243), daemon));
        assert!(!Peers { group: None, ..peers }.is_member(Uid::from_raw(4243), daemon));
    }
}
