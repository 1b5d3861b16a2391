//! What servers offer beside tools: resources. A URI is that server's who offers others of its scheme.

use rmcp::ErrorData;
use rmcp::model::{ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource, ResourceTemplate};
use serde_json::json;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::listing;
use crate::servers::Servers;

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
    let uris = offered.iter().flat_map(|(server, all)| all.iter().map(move |one| (*server, &one.uri)));
    let of_templates =
        patterns.iter().flat_map(|(server, all)| all.iter().map(move |one| (*server, &one.uri_template)));
    let mut known = uris.chain(of_templates);
    known.find(|(_, uri)| scheme(uri) == Some(wanted)).map(|(server, _)| server.to_owned())
}

/// Reads one of a server's, if it is any server's.
pub async fn read(
    servers: &Servers,
    owner: Option<&str>,
    uri: &str,
    until: Instant,
) -> Result<ReadResourceResult, Fault> {
    let params = json!({ "uri": uri });
    let Some(server) = owner else {
        let message = format!("{uri}: no server has such a resource; resources/list names those there are");
        return Err(Fault::Answered(ErrorData::resource_not_found(message, Some(params))));
    };
    servers.ask(server, "resources/read", params, until).await
}

async fn offered(servers: &Servers) -> Vec<(&str, Vec<Resource>)> {
    let lists = servers.lists::<ListResourcesResult>("resources/list").await;
    lists
        .into_iter()
        .map(|(server, list)| (server, list.resources))
        .filter(|(_, list)| listing::check(list).is_ok())
        .collect()
}

async fn patterns(servers: &Servers) -> Vec<(&str, Vec<ResourceTemplate>)> {
    let lists = servers.lists::<ListResourceTemplatesResult>("resources/templates/list").await;
    lists
        .into_iter()
        .map(|(server, list)| (server, list.resource_templates))
        .filter(|(_, list)| listing::check(list).is_ok())
        .collect()
}

fn scheme(uri: &str) -> Option<&str> {
    uri.split_once(':').map(|(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_a_scheme() {
        assert_eq!((scheme("file:///x"), scheme("x"), scheme("")), (Some("file"), None, None));
    }
}
