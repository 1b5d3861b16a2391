//! What the host's apt knows: its Debian mirrors, proxies and credentials. An edge: it reads `/etc/apt` and the
//! environment. Files that cannot be read are passed over, since all of this is only help.

#![allow(clippy::disallowed_methods, reason = "an edge: reads the host's apt configuration")]

mod apt_conf;
mod auth_conf;
mod sources_list;

use std::fs;
use std::path::{Path, PathBuf};

use super::net::{Login, Proxies};
use crate::regular;

pub use sources_list::HostMirrors;

/// The settings of the apt in `folder`, which is `/etc/apt` but in tests.
#[derive(Debug, Default)]
pub struct Host {
    pub mirrors: HostMirrors,
    pub proxies: Proxies,
    pub logins: Vec<Login>,
}

impl Host {
    /// Reads apt's folder, and the proxies that `environment` names where apt names none.
    pub fn read(folder: &Path, environment: impl Fn(&str) -> Option<String>) -> Self {
        let mut host = Host::default();
        host.environment(environment);
        for path in parts(&folder.join("apt.conf.d"), &["", "conf"]).into_iter().chain([folder.join("apt.conf")]) {
            apt_conf::proxies(&apt_conf::parse(&text(&path)), &mut host.proxies);
        }
        host.mirrors.add_list(&text(&folder.join("sources.list")));
        for path in parts(&folder.join("sources.list.d"), &["list", "sources"]) {
            match path.extension().and_then(|e| e.to_str()) {
                Some("sources") => host.mirrors.add_deb822(&text(&path)),
                _ => host.mirrors.add_list(&text(&path)),
            }
        }
        let first = [folder.join("auth.conf")].into_iter();
        for path in first.chain(parts(&folder.join("auth.conf.d"), &["", "conf"])) {
            host.logins.extend(auth_conf::parse(&text(&path)));
        }
        host
    }

    fn environment(&mut self, environment: impl Fn(&str) -> Option<String>) {
        let get = |name: &str| environment(name).filter(|value| !value.is_empty());
        for (scheme, names) in [("http", &["http_proxy"][..]), ("https", &["https_proxy", "HTTPS_PROXY"][..])] {
            if let Some(proxy) = names.iter().find_map(|name| get(name)) {
                self.proxies.by_scheme.insert(scheme.to_owned(), proxy);
            }
        }
        let direct = get("no_proxy").or_else(|| get("NO_PROXY")).unwrap_or_default();
        self.proxies.direct = direct.split(',').map(|host| host.trim().to_owned()).filter(|h| !h.is_empty()).collect();
    }
}

/// The files of a folder that apt would read, in its order.
fn parts(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let known = |path: &PathBuf| {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        extensions.contains(&extension)
    };
    let mut paths: Vec<PathBuf> = entries.filter(known).collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> String {
    regular::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_apt_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("apt.conf.d/01proxy", "Acquire::http::Proxy \"http://apt:1\";");
        put("apt.conf.d/02.bak", "Acquire::http::Proxy \"http://backup:1\";");
        put("sources.list.d/debian.sources", "Types: deb\nURIs: http://m/debian\nSuites: trixie\nComponents: main\n");
        put("sources.list.d/old.save", "deb http://old/debian trixie main");
        put("auth.conf.d/m.conf", "machine m login u password p");
        let env = |name: &str| match name {
            "http_proxy" | "https_proxy" => Some("http://env:1".to_owned()),
            "no_proxy" => Some("localhost, .here".to_owned()),
            _ => None,
        };
        let host = Host::read(folder.path(), env);
        assert_eq!(host.proxies.by_scheme["http"], "http://apt:1", "apt's own word goes before the environment's");
        assert_eq!(host.proxies.by_scheme["https"], "http://env:1");
        assert_eq!(host.proxies.direct, ["localhost", ".here"]);
        assert_eq!(host.mirrors.debian, ["http://m/debian"]);
        assert_eq!(host.logins.len(), 1);
    }
}
