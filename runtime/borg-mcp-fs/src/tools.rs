//! The tools as MCP clients see them: `tools.json` says what each is, `calls` what it does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use borg_mcp::follow::{Follower, Follows, Uris};
use borg_mcp::{Slot, ToolList, fault, greet};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, InitializeRequestParams, InitializeResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ServerCapabilities, ServerConfig,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use crate::answer::Answer;
use crate::fault::Fault;
use crate::follow::{Looking, WATCHES, follow};
use crate::roots::Roots;
use crate::{calls, resources};

/// The longest that a tool may take: a file may lie on a network that is gone.
const TOOL_TIME: Duration = Duration::from_secs(20);
/// How long it may walk; what it found by then is told.
const WALK_TIME: Duration = Duration::from_secs(15);

/// Names, texts, schemas and annotations of the first fourteen are the reference filesystem server's own.
const TOOLS: &str = include_str!("tools.json");

#[derive(Debug, Clone)]
pub struct Tools {
    roots: Arc<Roots>,
    list: ToolList,
    /// One change at a time, so that no two clients' edits of a file are mixed.
    writing: Arc<Mutex<()>>,
    follows: Arc<Follows>,
    looking: Looking,
}

impl Tools {
    /// With `one_client`, who comes and goes with the process, that one may be told of changes by older protocols too.
    pub fn new(roots: Arc<Roots>, one_client: bool) -> Result<Self, serde_json::Error> {
        let follows = Arc::new(Follows::new(WATCHES, one_client));
        Ok(Tools {
            roots,
            list: ToolList::parse(TOOLS)?,
            writing: Arc::default(),
            follows,
            looking: Looking::default(),
        })
    }

    pub fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }

    fn is_below(&self, uri: &str) -> bool {
        resources::path(uri).is_ok_and(|path| self.roots.locate(&path).is_ok())
    }

    fn writes(&self, name: &str) -> bool {
        self.list.get(name).and_then(|tool| tool.annotations.as_ref()?.read_only_hint) == Some(false)
    }

    /// Runs a tool. A long text is left in `slot`.
    async fn run(&self, name: String, arguments: Value, slot: Option<Slot>) -> Result<Answer, Fault> {
        let start = Instant::now();
        let turn = if self.writes(&name) {
            let writing = Arc::clone(&self.writing).lock_owned();
            Some(tokio::time::timeout_at((start + TOOL_TIME).into(), writing).await.map_err(|_| late())?)
        } else {
            None
        };
        let roots = Arc::clone(&self.roots);
        in_time(start, move || {
            let answer = calls::run(&roots, &name, arguments, start + WALK_TIME);
            // Held until the change is made, also when nobody waits for it any more.
            drop(turn);
            answer.map(|answer| answer.by_way_of(slot.as_ref()))
        })
        .await
    }
}

/// Works on a thread that may block, and stops waiting for it when it takes too long.
async fn in_time<T: Send + 'static>(
    start: Instant,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::time::timeout_at((start + TOOL_TIME).into(), tokio::task::spawn_blocking(work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Fault::new("the tool broke off; this is a fault of borg-mcp-fs")),
        Err(_) => Err(late()),
    }
}

fn late() -> Fault {
    Fault::new(format!("no answer from the file system within {} s", TOOL_TIME.as_secs()))
}

fn result(answer: Result<Answer, Fault>) -> CallToolResult {
    let parts = answer.map(Answer::parts);
    match parts.map(|(block, structured)| (serde_json::from_value(block), structured)) {
        Ok((Ok(block), structured)) => {
            let mut result = CallToolResult::success(vec![block]);
            result.structured_content = Some(structured);
            result.is_error = None;
            result
        }
        Ok((Err(e), _)) => fault(&e.to_string()),
        Err(e) => fault(&e.to_string()),
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let identity = Implementation::new("borg-mcp-fs", env!("CARGO_PKG_VERSION")).with_title("BorgOS files");
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().enable_resources_subscribe();
        ServerConfig::new(capabilities.build())
            .with_server_info(identity)
            .with_instructions("Works on files below the allowed directories; list_allowed_directories names them.")
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
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let slot = Slot::of(&context.extensions);
        Ok(result(self.run(request.name.into_owned(), arguments, slot).await).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::all(&self.roots)))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![resources::template()]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let (start, roots, uri) = (Instant::now(), Arc::clone(&self.roots), request.uri.clone());
        let read = in_time(start, move || resources::read(&roots, &uri, start + WALK_TIME));
        let missing =
            |fault: Fault| ErrorData::resource_not_found(fault.to_string(), Some(json!({ "uri": request.uri })));
        let contents = read.await.map_err(missing)?;
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(self.follows.accept(requested, |uri| self.is_below(uri)))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let uris: Uris = context.accepted().resource_subscriptions.iter().flatten().cloned().collect();
        let _room = self.follows.room(uris.len())?;
        let (_wanting, wanted) = watch::channel(uris);
        let client = Follower::Subscription(context.sink().clone());
        tokio::select! {
            () = context.cancelled() => Ok(()),
            ended = follow(Arc::clone(&self.roots), Arc::clone(&self.looking), wanted, client) => {
                ended.map_err(|e| ErrorData::internal_error(format!("cannot watch: {e}"), None))
            }
        }
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let fits = |uri: &str| {
            let text = || format!("{uri}: not the URI of a file below an allowed directory");
            self.is_below(uri).then_some(()).ok_or_else(|| ErrorData::resource_not_found(text(), None))
        };
        self.follows.add(request.uri, fits, |wanted| {
            let (roots, looking) = (Arc::clone(&self.roots), Arc::clone(&self.looking));
            let client = Follower::Session(context.peer);
            // Ends with the session, whose tools hold the other end; a fault ends it too, and the next request starts it anew.
            tokio::spawn(async move { follow(roots, looking, wanted, client).await });
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
