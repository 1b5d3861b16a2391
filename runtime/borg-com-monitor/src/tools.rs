//! The tools as MCP clients see them: `tools.json` says what each is, `calls` what it does. Each port is a resource, too,
//! whose content are its newest lines and to which clients can subscribe.

use std::collections::BTreeMap;

use borg_mcp::{ToolList, fault};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    Resource, ResourceContents, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use serde_json::Value;

use crate::monitor::Shared;
use crate::{calls, journal};

const TOOLS: &str = include_str!("tools.json");
/// A port's resource is this and its path.
const SCHEME: &str = "serial://";
/// How many lines a resource shows.
const SHOWN: usize = 100;

#[derive(Debug, Clone)]
pub struct Tools {
    shared: Shared,
    list: ToolList,
    /// Whether the transport can tell a client of something that it did not just ask for.
    subscriptions: bool,
}

impl Tools {
    pub fn new(shared: Shared, subscriptions: bool) -> Result<Self, serde_json::Error> {
        Ok(Tools { shared, list: ToolList::parse(TOOLS)?, subscriptions })
    }

    fn resource(&self, uri: &str) -> Option<ResourceContents> {
        let port = uri.strip_prefix(SCHEME)?;
        self.shared.board.one(port)?;
        let page = self.shared.record.history.newest_of(SHOWN, |line| Some(line.port == port));
        let text: String = page.lines.iter().map(journal::plain).collect();
        Some(ResourceContents::text(text, uri))
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let identity = Implementation::new("borg-com-monitor", env!("CARGO_PKG_VERSION")).with_title("Serial ports");
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources();
        let capabilities =
            if self.subscriptions { capabilities.enable_resources_subscribe().build() } else { capabilities.build() };
        ServerConfig::new(capabilities)
            .with_server_info(identity)
            .with_instructions("Lines that serial ports received: list_ports names the ports, read_lines gives lines.")
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, rmcp::ErrorData> {
        Ok(self.list.all())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.list.get(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, rmcp::ErrorData> {
        if self.list.get(&request.name).is_none() {
            return Err(rmcp::ErrorData::invalid_params(format!("there is no tool {}", request.name), None));
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let result = match calls::run(&self.shared, &request.name, arguments).await {
            Ok((text, structured)) => {
                let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
                result.structured_content = Some(structured);
                result
            }
            Err(text) => fault(&text),
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, rmcp::ErrorData> {
        let ports = self.shared.board.all().into_iter();
        let resource = |port: String| Resource::new(format!("{SCHEME}{port}"), port).with_mime_type("text/plain");
        Ok(ListResourcesResult::with_all_items(ports.map(|status| resource(status.port)).collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, rmcp::ErrorData> {
        let missing = || {
            let data = serde_json::json!({ "uri": request.uri });
            rmcp::ErrorData::resource_not_found(format!("{}: no such port", request.uri), Some(data))
        };
        let contents = self.resource(&request.uri).ok_or_else(missing)?;
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        if !self.subscriptions {
            return None;
        }
        let ours = |uri: &String| uri.starts_with(SCHEME);
        let uris = requested.resource_subscriptions.iter().flatten().filter(|uri| ours(uri)).cloned();
        Some(SubscriptionFilter::builder().resource_subscriptions(uris).build())
    }

    /// Tells of each port that has new lines, once for all that came together.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), rmcp::ErrorData> {
        let history = &self.shared.record.history;
        let uris = context.accepted().resource_subscriptions.clone().unwrap_or_default();
        let wanted: BTreeMap<&str, &String> =
            uris.iter().filter_map(|uri| Some((uri.strip_prefix(SCHEME)?, uri))).collect();
        let (mut newer, mut cursor) = (history.follow(), history.newest());
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = newer.changed() => if changed.is_err() { return Ok(()) },
            }
            let page = history.since(cursor, usize::MAX, |line| wanted.contains_key(line.port.as_str()));
            cursor = page.cursor;
            let ports: std::collections::BTreeSet<&str> = page.lines.iter().map(|line| line.port.as_str()).collect();
            for uri in ports.into_iter().filter_map(|port| wanted.get(port)) {
                if context.sink().notify_resource_updated((*uri).clone()).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}
