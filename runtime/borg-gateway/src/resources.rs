//! What servers offer beside tools: resources. A URI is that server's who offers others of its scheme.

use rmcp::model::{ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource, ResourceTemplate};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use crate::count::json_bytes;
use crate::fault::Fault;
use crate::servers::Servers;

/// The most that one server's list may hold: every client gets all lists together.
const MOST: usize = 256;
const MOST_BYTES: usize = 256 * 1024;

/// The resources of all.
pub async fn all(servers: &Servers) -> Vec<Resource> {
    offered(servers).await.into_iter().flat_map(|(_, resources)| resources).collect()
}

/// The templates of all.
pub async fn templates(servers: &Servers) -> Vec<ResourceTemplate> {
    patterns(servers).await.into_iter().flat_map(|(_, templates)| templates).collect()
}

/// The server whose resource this is.
pub async fn owner(servers: &Servers, uri: &str) -> Option<String> {
    let (offered, patterns) = tokio::join!(offered(servers), patterns(servers));
    let wanted = scheme(uri)?;
    let is_of = |known: &str| scheme(known) == Some(wanted);
    let by_uri = offered.iter().find(|(_, resources)| resources.iter().any(|one| is_of(&one.uri)));
    let by_template = || patterns.iter().find(|(_, all)| all.iter().any(|one| is_of(&one.uri_template)));
    by_uri.map(|(server, _)| *server).or_else(|| by_template().map(|(server, _)| *server)).map(str::to_owned)
}

/// Reads one.
pub async fn read(servers: &Servers, server: &str, uri: &str, until: Instant) -> Result<ReadResourceResult, Fault> {
    servers.ask(server, "resources/read", json!({ "uri": uri }), until).await
}

async fn offered(servers: &Servers) -> Vec<(&str, Vec<Resource>)> {
    let lists = servers.lists::<ListResourcesResult>("resources/list").await;
    lists.into_iter().map(|(server, list)| (server, list.resources)).filter(|(_, list)| is_short(list)).collect()
}

async fn patterns(servers: &Servers) -> Vec<(&str, Vec<ResourceTemplate>)> {
    let lists = servers.lists::<ListResourceTemplatesResult>("resources/templates/list").await;
    lists
        .into_iter()
        .map(|(server, list)| (server, list.resource_templates))
        .filter(|(_, list)| is_short(list))
        .collect()
}

fn is_short<T: Serialize>(list: &[T]) -> bool {
    list.len() <= MOST && json_bytes(&list) <= MOST_BYTES
}

fn scheme(uri: &str) -> Option<&str> {
    uri.split_once(':').map(|(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_taken_as_long_as_it_is_short() {
        let list = |count: usize, length: usize| vec![Resource::new("x".repeat(length), "x"); count];
        assert!(is_short(&list(MOST, 100)));
        assert!(!is_short(&list(MOST + 1, 1)) && !is_short(&list(1, MOST_BYTES)));
    }

    #[test]
    fn a_uri_has_a_scheme() {
        assert_eq!((scheme("file:///x"), scheme("x"), scheme("")), (Some("file"), None, None));
    }
}
