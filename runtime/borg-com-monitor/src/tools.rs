//! The tools as MCP clients see them: `tools.json` says what each is, `calls` what it does. Each port is a resource, too,
//! whose content are its newest lines and to which clients can subscribe.

use std::sync::Arc;

use borg_mcp::follow::{Follower, Follows, Uris};
use borg_mcp::{ToolList, fault, greet};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, InitializeRequestParams,
    InitializeResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ServerCapabilities, ServerConfig,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler};
use serde_json::Value;
use tokio::sync::watch;

use crate::follow::{PORTS, SCHEME, follow, port};
use crate::monitor::Shared;
use crate::{calls, journal};

const TOOLS: &str = include_str!("tools.json");
/// How many lines a resource shows.
const SHOWN: usize = 100;

#[derive(Debug, Clone)]
pub struct Tools {
    shared: Shared,
    list: ToolList,
    follows: Arc<Follows>,
}

impl Tools {
    /// With `one_client`, who comes and goes with the process, that one may be told of lines by older protocols too.
    pub fn new(shared: Shared, one_client: bool) -> Result<Self, serde_json::Error> {
        Ok(Tools { shared, list: ToolList::parse(TOOLS)?, follows: Arc::new(Follows::new(PORTS, one_client)) })
    }

    fn resource(&self, uri: &str) -> Option<ResourceContents> {
        let port = port(uri)?;
        self.shared.board.one(port)?;
        let page = self.shared.record.history.newest_of(SHOWN, |line| Some(line.port == port));
        let text: String = page.lines.iter().map(journal::plain).collect();
        Some(ResourceContents::text(text, uri))
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let identity = Implementation::new("borg-com-monitor", env!("CARGO_PKG_VERSION")).with_title("Serial ports");
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().enable_resources_subscribe();
        ServerConfig::new(capabilities.build())
            .with_server_info(identity)
            .with_instructions("Lines that serial ports received: list_ports names the ports, read_lines gives lines.")
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        greet(self, request, &context, |capabilities| self.follows.amend(capabilities))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(self.list.all())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.list.get(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.list.get(&request.name).is_none() {
            return Err(ErrorData::invalid_params(format!("there is no tool {}", request.name), None));
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
    ) -> Result<ListResourcesResult, ErrorData> {
        let ports = self.shared.board.all().into_iter();
        let resource = |port: String| Resource::new(format!("{SCHEME}{port}"), port).with_mime_type("text/plain");
        Ok(ListResourcesResult::with_all_items(ports.map(|status| resource(status.port)).collect()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let missing = || {
            let data = serde_json::json!({ "uri": request.uri });
            ErrorData::resource_not_found(format!("{}: no such port", request.uri), Some(data))
        };
        let contents = self.resource(&request.uri).ok_or_else(missing)?;
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(self.follows.accept(requested, |uri| port(uri).is_some()))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let history = &self.shared.record.history;
        let from = history.newest();
        let uris: Uris = context.accepted().resource_subscriptions.iter().flatten().cloned().collect();
        let _room = self.follows.room(uris.len())?;
        let (_wanting, wanted) = watch::channel(uris);
        let client = Follower::Subscription(context.sink().clone());
        tokio::select! {
            () = context.cancelled() => {}
            () = follow(history, from, wanted, client) => {}
        }
        Ok(())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let fits = |uri: &str| {
            let text = || format!("{uri}: not the URI of a port, such as {SCHEME}/dev/ttyUSB0");
            port(uri).map(drop).ok_or_else(|| ErrorData::resource_not_found(text(), None))
        };
        self.follows.add(request.uri, fits, |wanted| {
            let record = Arc::clone(&self.shared.record);
            let from = record.history.newest();
            let client = Follower::Session(context.peer);
            // Ends with the session, whose tools hold the other end.
            tokio::spawn(async move { follow(&record.history, from, wanted, client).await });
        })
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.follows.remove(&request.uri)
    }
}
