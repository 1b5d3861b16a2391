//! The tools as MCP clients see them: `tools.json` says what each is, `calls` what it does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use borg_mcp::{ToolList, fault};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::answer::Answer;
use crate::calls;
use crate::fault::Fault;
use crate::roots::Roots;

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
}

impl Tools {
    pub fn new(roots: Arc<Roots>) -> Result<Self, serde_json::Error> {
        Ok(Tools { roots, list: ToolList::parse(TOOLS)?, writing: Arc::default() })
    }

    pub fn roots(&self) -> &Arc<Roots> {
        &self.roots
    }

    fn writes(&self, name: &str) -> bool {
        self.list.get(name).and_then(|tool| tool.annotations.as_ref()?.read_only_hint) == Some(false)
    }

    /// Runs a tool on a thread that may block, and stops waiting for it when it takes too long.
    async fn run(&self, name: String, arguments: Value) -> Result<Answer, Fault> {
        let late = || Fault::new(format!("no answer from the file system within {} s", TOOL_TIME.as_secs()));
        let start = Instant::now();
        let end = tokio::time::Instant::from_std(start + TOOL_TIME);
        let turn = if self.writes(&name) {
            let writing = Arc::clone(&self.writing).lock_owned();
            Some(tokio::time::timeout_at(end, writing).await.map_err(|_| late())?)
        } else {
            None
        };
        let roots = Arc::clone(&self.roots);
        let work = tokio::task::spawn_blocking(move || {
            let answer = calls::run(&roots, &name, arguments, start + WALK_TIME);
            // Held until the change is made, also when nobody waits for it any more.
            drop(turn);
            answer
        });
        match tokio::time::timeout_at(end, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::new("the tool broke off; this is a fault of borg-mcp-fs")),
            Err(_) => Err(late()),
        }
    }
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
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(identity)
            .with_instructions("Works on files below the allowed directories; list_allowed_directories names them.")
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
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        Ok(result(self.run(request.name.into_owned(), arguments).await).into())
    }
}
