//! Mirrors and further repositories.

use super::files;
use super::node::{Faults, Node, brief};

/// The archives that every image has.
const OWN: [&str; 4] = ["debian", "updates", "security", "runtime"];

pub fn check(profile: &Node<'_>, faults: &mut Faults<'_>) {
    let mirrors = profile.texts("mirrors");
    faults.duplicates("the mirror", mirrors.iter().map(|(node, uri)| (node, uri.trim_end_matches('/'))));
    for (node, address) in &mirrors {
        uri(node, address, faults);
    }
    let repositories = profile.list("repositories");
    let names: Vec<_> = repositories.iter().filter_map(|repository| repository.text("name")).collect();
    let places = repositories.iter().filter_map(|repository| {
        let ((node, uri), (_, suite)) = (repository.text("uri")?, repository.text("suite")?);
        Some((node, format!("{} {suite}", uri.trim_end_matches('/'))))
    });
    let places: Vec<_> = places.collect();
    faults.duplicates("the repository", places.iter().map(|(node, place)| (node, place.as_str())));
    faults.duplicates("the repository", names.iter().map(|(node, name)| (node, *name)));
    for (node, name) in &names {
        if OWN.contains(name) {
            let message = format!("the repository name `{name}` is taken");
            faults.at(node, message, "every image has one of that name", "choose another name");
        }
    }
    for repository in &repositories {
        if let Some((node, address)) = repository.text("uri") {
            uri(&node, address, faults);
        }
        if let Some((node, key)) = repository.text("key") {
            files::inside(&node, key, faults);
        }
        suite(repository, faults);
    }
}

fn uri(node: &Node<'_>, uri: &str, faults: &mut Faults<'_>) {
    let Some((_, rest)) = uri.split_once("://") else { return };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        // The credentials are masked in the excerpt.
        let help = "put user and password into /etc/apt/auth.conf.d of the build host (apt_auth.conf(5)); an image never holds them";
        return faults.at(node, "an address with a user or password in it", "credentials do not belong here", help);
    }
    if rest.split('/').any(|step| matches!(step, "." | "..")) {
        return faults.at(node, "an address with `/./` or `/../`", "this address", "write the path without it");
    }
    if rest.contains(['?', '#']) {
        return faults.at(node, "an address with `?` or `#`", "this address", "name the folder that holds `dists`");
    }
    if !is_authority(authority) {
        faults.at(
            node,
            "an address without a valid host name",
            "this address",
            "write it as `http://deb.debian.org/debian`",
        );
    }
}

/// A host name or IP address, with a port or without.
fn is_authority(text: &str) -> bool {
    if let Some(v6) = text.strip_prefix('[') {
        let Some((address, rest)) = v6.split_once(']') else { return false };
        let port = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return address.parse::<std::net::Ipv6Addr>().is_ok() && port;
    }
    match text.split_once(':') {
        Some((host, port)) => is_host(host) && is_port(port),
        None => is_host(text),
    }
}

fn is_host(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok() || super::network::is_host_name(text)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn suite(repository: &Node<'_>, faults: &mut Faults<'_>) {
    if let Some((node, suite)) = repository.text("suite")
        && (suite.ends_with('/') || suite.split('/').any(|step| matches!(step, "" | "." | "..")))
    {
        let help = "name the folder below `dists`, such as `stable`; repositories without `dists` are not supported";
        faults.at(&node, format!("`{}` is no suite's name", brief(suite)), "this suite", help);
    }
    for (node, component) in repository.texts("components") {
        let fits = component.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._+-".contains(&b));
        if !fits || component.is_empty() || component.split('/').any(|step| matches!(step, "" | "." | "..")) {
            faults.at(
                &node,
                format!("`{}` is no component's name", brief(component)),
                "this component",
                "write one such as `main`",
            );
        }
    }
}
