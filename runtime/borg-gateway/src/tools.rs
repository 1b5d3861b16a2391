//! What MCP clients meet: the tools of all, each call written down.

use std::sync::Arc;

use borg_mcp::{Caller, Slot, greet};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, InitializeRequestParams,
    InitializeResult, JsonObject, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProgressToken, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, ResultType, ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::audit::Audit;
use crate::fault::Fault;
use crate::names::{Cache, Names, Offer, Source};
use crate::plugins::Plugins;
use crate::questions::Progress;
use crate::resources;
use crate::servers::Servers;

/// What the log calls the reading of a resource.
const READ: &str = "resources/read";
/// How many notes of progress may wait for a client.
const NOTES: usize = 16;

/// The longest text that may be copied on its way out.
const COPIED: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub struct Tools(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    servers: Arc<Servers>,
    plugins: Arc<Plugins>,
    names: Cache,
    audit: Audit,
    /// Whether the transport can tell a client of an older protocol what it did not just ask for.
    tells: bool,
}

impl Tools {
    pub fn new(servers: Arc<Servers>, plugins: Arc<Plugins>, audit: Audit, tells: bool) -> Self {
        Tools(Arc::new(Inner { servers, plugins, names: Cache::default(), audit, tells }))
    }

    /// All names, as they were heard last.
    pub fn names(&self) -> Arc<Names> {
        self.0.names.names(self.0.servers.heard(), self.0.plugins.plugged())
    }

    /// All names as they are now.
    pub async fn fresh_names(&self) -> Arc<Names> {
        tokio::join!(self.0.servers.refresh(), self.0.plugins.refresh());
        self.names()
    }

    /// Finds a tool; what is not known may be new.
    async fn find(&self, name: &str) -> Option<Offer> {
        if let Some(offer) = self.names().get(name) {
            return Some(offer.clone());
        }
        self.fresh_names().await.get(name).cloned()
    }

    async fn call(
        &self,
        offer: &Offer,
        arguments: JsonObject,
        context: &RequestContext<RoleServer>,
        until: Instant,
    ) -> Result<CallToolResult, Fault> {
        let calling = async {
            match &offer.source {
                Source::Server(server) => self.0.servers.call(server, &offer.own, arguments, until).await,
                Source::Plugin(plugin) => {
                    let (progress, told) = progress(context).unzip();
                    let outcome = self.0.plugins.call(plugin, &offer.own, arguments, progress, until).await;
                    // What it said before its answer is not to come after it.
                    if let Some(told) = told {
                        let _ = tokio::time::timeout_at(until, told).await;
                    }
                    outcome
                }
            }
        };
        tokio::select! {
            outcome = calling => outcome,
            () = context.ct.cancelled() => {
                // What stops the gateway cancels its calls, too, and may be heard of here a moment before.
                tokio::task::yield_now().await;
                Err(match (self.0.audit.left(), &offer.source) {
                    (Fault::Left, Source::Plugin(plugin)) => {
                        self.0.plugins.prod(plugin);
                        Fault::Cancelled
                    }
                    (fault, _) => fault,
                })
            }
        }
    }
}

/// Where a call's progress goes, if its client wants to be told, and what passes it on until the call is over. Over HTTP the
/// answer becomes a stream.
fn progress(context: &RequestContext<RoleServer>) -> Option<(Progress, JoinHandle<()>)> {
    let token = context.meta.get_progress_token()?;
    let (to, notes) = mpsc::channel(NOTES);
    Some((to, tokio::spawn(pass_on(notes, token, context.peer.clone()))))
}

/// Until the call is over.
async fn pass_on(mut notes: mpsc::Receiver<ProgressNotificationParam>, token: ProgressToken, peer: Peer<RoleServer>) {
    while let Some(mut note) = notes.recv().await {
        note.progress_token = token.clone();
        if peer.notify_progress(note).await.is_err() {
            return;
        }
    }
}

/// Leaves a long text, which results of servers have twice, in the request's slot until it is written.
fn hold_once(result: &mut CallToolResult, slot: &Slot) {
    let [ContentBlock::Text(block)] = result.content.as_mut_slice() else { return };
    if block.text.len() <= COPIED {
        return;
    }
    let copy = result.structured_content.as_mut().and_then(|structure| structure.get_mut("content"));
    let copy = copy.filter(|copy| copy.as_str() == Some(&block.text));
    block.text = slot.keep(std::mem::take(&mut block.text));
    if let Some(copy) = copy {
        *copy = block.text.clone().into();
    }
}

/// What the caller is told.
fn response(outcome: Result<CallToolResult, Fault>, slot: Option<&Slot>) -> Result<CallToolResponse, ErrorData> {
    match outcome {
        Ok(mut result) => {
            // Older protocols, which sources may speak, leave it out.
            result.result_type = Some(ResultType::COMPLETE);
            if let Some(slot) = slot {
                hold_once(&mut result, slot);
            }
            Ok(result.into())
        }
        Err(Fault::Answered(error)) => Err(error),
        Err(fault @ Fault::Unknown(_)) => Err(ErrorData::invalid_params(fault.to_string(), None)),
        Err(fault) => Ok(borg_mcp::fault(&fault.to_string()).into()),
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let identity =
            Implementation::new("borg-gateway", env!("CARGO_PKG_VERSION")).with_title("Tools of this device");
        let capabilities = ServerCapabilities::builder().enable_tools().enable_tool_list_changed().enable_resources();
        ServerConfig::new(capabilities.build())
            .with_server_info(identity)
            .with_instructions("The tools of all servers and plugins on this device. Every call is written down.")
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        // A subscription, which tells over HTTP, too, is of the newest protocol, which does not begin like this.
        greet(self, request, &context, |capabilities| {
            if let (false, Some(tools)) = (self.0.tells, &mut capabilities.tools) {
                tools.list_changed = None;
            }
        })
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let names = self.fresh_names().await;
        Ok(ListToolsResult::with_all_items(names.listed().map(|offer| offer.tool.clone()).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let until = borg_mcp::deadline(&context);
        let offer = self.find(&request.name).await;
        let source = offer.as_ref().map(|offer| &offer.source);
        let call = self.0.audit.begin(Caller::of(&context), &request.name, source, request.arguments.as_ref()).await;
        let outcome = match &offer {
            Some(offer) => self.call(offer, request.arguments.unwrap_or_default(), &context, until).await,
            None => Err(Fault::Unknown(request.name.into_owned())),
        };
        let written = call.end(&outcome);
        let response = response(outcome, Slot::of(&context.extensions).as_ref());
        written.await;
        response
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::all(&self.0.servers).await))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates(&self.0.servers).await))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let until = borg_mcp::deadline(&context);
        let owner = resources::owner(&self.0.servers, &request.uri).await;
        let source = owner.clone().map(Source::Server);
        let arguments = JsonObject::from_iter([("uri".to_owned(), request.uri.clone().into())]);
        let call = self.0.audit.begin(Caller::of(&context), READ, source.as_ref(), Some(&arguments)).await;
        let read = resources::read(&self.0.servers, owner.as_deref(), &request.uri, until).await;
        // What was read is in the file, which the log names.
        let (outcome, contents) = match read {
            Ok(read) => (Ok(CallToolResult::structured(json!({ "contents": read.contents.len() }))), read.contents),
            Err(fault) => (Err(fault), Vec::new()),
        };
        call.end(&outcome).await;
        match outcome {
            Ok(_) => Ok(ReadResourceResult::new(contents).into()),
            Err(Fault::Answered(error)) => Err(error),
            Err(fault) => Err(ErrorData::internal_error(fault.to_string(), None)),
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        if self.0.tells {
            let mut changes = self.0.plugins.changes();
            tokio::spawn(async move {
                while changes.changed().await.is_ok() && context.peer.notify_tool_list_changed().await.is_ok() {}
            });
        }
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let wanted = SubscriptionFilter::builder();
        let wants = requested.tools_list_changed == Some(true);
        Some(if wants { wanted.tools_list_changed().build() } else { wanted.build() })
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.0.plugins.changes();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = changes.changed() => if changed.is_err() { return Ok(()) },
            }
            if context.sink().notify_tool_list_changed().await.is_err() {
                return Ok(());
            }
        }
    }
}
