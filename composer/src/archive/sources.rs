//! The mirrors of each archive, in the order in which they are asked.

#![allow(clippy::disallowed_methods, reason = "an edge: reads the host's proxy from the environment")]

use std::path::Path;

use super::host::Host;
use super::net::{Client, Limits, Net};
use super::vendor::Vendor;
use crate::shared::Shared;
use crate::spec::types::{ArchiveKind, ArchiveSpec};

static OFFICIAL: &str = include_str!("../../data/mirrors.txt");

/// Where packages come from: mirrors, proxies, credentials. Made once, at the edge.
#[derive(Debug, Default)]
pub struct Sources {
    debian: Vec<String>,
    security: Vec<String>,
    pub net: Net,
    /// Asked before all mirrors.
    pub(super) vendor: Option<Vendor>,
    /// Asked after the vendor archive.
    pub shared: Option<Shared>,
    /// The address of a snapshot server, asked after all mirrors.
    snapshot: Option<String>,
}

impl Sources {
    /// The given mirrors first, then those of the host's apt, then Debian's official ones.
    pub fn of_host(given: &[String]) -> Self {
        let host = Host::read(Path::new("/etc/apt"), |name| std::env::var(name).ok());
        Self::new(given, host, Limits::default())
    }

    pub fn new(given: &[String], host: Host, limits: Limits) -> Self {
        let mut sources = Self::only(given, Net::new(Client::new(limits, host.proxies, host.logins)));
        let official = OFFICIAL.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
        let (security, debian): (Vec<_>, Vec<_>) = official.partition(|m| m.ends_with("/debian-security"));
        sources.debian.extend(host.mirrors.debian.into_iter().chain(debian));
        sources.security.extend(host.mirrors.security.into_iter().chain(security));
        once(&mut sources.debian);
        once(&mut sources.security);
        sources
    }

    /// The given mirrors and no others.
    pub fn only(given: &[String], net: Net) -> Self {
        let mut sources = Sources { net, ..Sources::default() };
        for mirror in given.iter().map(|m| m.trim_end_matches('/')) {
            // A mirror of Debian mostly has the security archive beside it.
            match mirror.strip_suffix("/debian") {
                _ if mirror.ends_with("/debian-security") => sources.security.push(mirror.to_owned()),
                Some(parent) => {
                    sources.debian.push(mirror.to_owned());
                    sources.security.push(format!("{parent}/debian-security"));
                }
                None => sources.debian.push(mirror.to_owned()),
            }
        }
        sources
    }

    /// The same with a vendor archive before the mirrors and the address of a snapshot server after them.
    #[must_use]
    pub fn with(self, vendor: Option<Vendor>, snapshot: Option<String>) -> Self {
        Sources { vendor, snapshot, ..self }
    }

    /// The same with a store that is shared before the mirrors.
    #[must_use]
    pub fn sharing(self, shared: Option<Shared>) -> Self {
        Sources { shared, ..self }
    }

    /// The snapshot server, if it has what `archive` once had: it keeps Debian's own archives and no others.
    pub fn snapshot(&self, archive: &ArchiveSpec) -> Option<&String> {
        self.snapshot.as_ref().filter(|_| !matches!(archive.kind, ArchiveKind::Extra { .. }))
    }

    /// The mirrors that serve `archive`.
    pub fn mirrors(&self, archive: &ArchiveSpec) -> Vec<String> {
        match archive.kind {
            ArchiveKind::Debian => self.debian.clone(),
            ArchiveKind::Security => self.security.clone(),
            ArchiveKind::Extra { .. } => vec![archive.uri.trim_end_matches('/').to_owned()],
        }
    }
}

/// Keeps the first of equal addresses.
fn once(all: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    all.retain(|mirror| seen.insert(mirror.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_then_host_then_official() {
        let mut host = Host::default();
        host.mirrors.debian = vec!["http://host/debian".into(), "http://deb.debian.org/debian".into()];
        host.mirrors.security = vec!["http://host/debian-security".into()];
        let given = ["http://given/debian/".to_owned(), "http://odd/mirror".to_owned()];
        let sources = Sources::new(&given, host, Limits::default());
        let first = ["http://given/debian", "http://odd/mirror", "http://host/debian", "http://deb.debian.org/debian"];
        assert_eq!(sources.debian[..4], first);
        assert_eq!(sources.debian.iter().filter(|m| *m == "http://deb.debian.org/debian").count(), 1);
        assert_eq!(sources.security[..2], ["http://given/debian-security", "http://host/debian-security"]);
        assert_eq!(sources.security.last().unwrap(), "http://security.debian.org/debian-security");
    }
}
