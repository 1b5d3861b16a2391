//! The tools as MCP clients see them; names and parameters are those of the reference filesystem server.

use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, Implementation, ServerCapabilities, ServerConfig};
use rmcp::schemars::JsonSchema;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;

use crate::fault::Fault;
use crate::files::{self, Part};
use crate::roots::Roots;

/// The longest that a tool may take: a file may lie on a network that is gone.
const TOOL_TIME: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct Tools {
    roots: Arc<Roots>,
    tool_router: ToolRouter<Tools>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct ReadTextFile {
    /// A path inside an allowed folder.
    path: String,
    /// Only the first so many lines.
    head: Option<usize>,
    /// Only the last so many lines.
    tail: Option<usize>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct OnePath {
    /// A path inside an allowed folder.
    path: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(rename_all = "camelCase")]
struct SearchFiles {
    /// The folder to search below.
    path: String,
    /// A glob over paths relative to that folder: `*.log` in the folder itself, `**/*.log` at any depth.
    pattern: String,
    /// Globs of what to leave out.
    #[serde(default)]
    exclude_patterns: Vec<String>,
}

#[tool_router]
impl Tools {
    pub fn new(roots: Arc<Roots>) -> Self {
        Tools { roots, tool_router: Self::tool_router() }
    }

    #[tool(
        description = "Reads a text file. A file of more than 1 MiB is read in part, with head or tail.",
        annotations(title = "Read a text file", read_only_hint = true, open_world_hint = false)
    )]
    async fn read_text_file(&self, Parameters(asked): Parameters<ReadTextFile>) -> CallToolResult {
        let part = match (asked.head, asked.tail) {
            (None, None) => Part::Whole,
            (Some(lines), None) => Part::Head(lines),
            (None, Some(lines)) => Part::Tail(lines),
            (Some(_), Some(_)) => return answer(Err(Fault::new("head and tail exclude each other"))),
        };
        self.run(move |roots| files::read_text(roots, &asked.path, part)).await
    }

    #[tool(
        description = "Lists a folder: one line an entry, marked [DIR], [FILE], [LINK] or [OTHER].",
        annotations(title = "List a folder", read_only_hint = true, open_world_hint = false)
    )]
    async fn list_directory(&self, Parameters(asked): Parameters<OnePath>) -> CallToolResult {
        self.run(move |roots| files::list(roots, &asked.path)).await
    }

    #[tool(
        description = "Size, times, kind and permissions of a file or folder.",
        annotations(title = "Look at a file's details", read_only_hint = true, open_world_hint = false)
    )]
    async fn get_file_info(&self, Parameters(asked): Parameters<OnePath>) -> CallToolResult {
        self.run(move |roots| files::info(roots, &asked.path)).await
    }

    #[tool(
        description = "Finds files and folders whose path matches a glob; symbolic links are not followed.",
        annotations(title = "Search for files", read_only_hint = true, open_world_hint = false)
    )]
    async fn search_files(&self, Parameters(asked): Parameters<SearchFiles>) -> CallToolResult {
        self.run(move |roots| files::search(roots, &asked.path, &asked.pattern, &asked.exclude_patterns)).await
    }

    #[tool(
        description = "The folders that these tools may read.",
        annotations(title = "List the allowed folders", read_only_hint = true, open_world_hint = false)
    )]
    async fn list_allowed_directories(&self) -> CallToolResult {
        let paths: Vec<String> = self.roots.paths().map(|p| p.display().to_string()).collect();
        answer(Ok(format!("Allowed directories:\n{}\n", paths.join("\n"))))
    }
}

impl Tools {
    /// Runs `deed` on a thread that may block, and stops waiting for it when it takes too long.
    async fn run(&self, deed: impl FnOnce(&Roots) -> Result<String, Fault> + Send + 'static) -> CallToolResult {
        let roots = Arc::clone(&self.roots);
        let work = tokio::task::spawn_blocking(move || deed(&roots));
        answer(match tokio::time::timeout(TOOL_TIME, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Fault::new("the tool broke off; this is a fault of borg-mcp-fs")),
            Err(_) => Err(Fault::new(format!("no answer from the file system within {} s", TOOL_TIME.as_secs()))),
        })
    }
}

fn answer(result: Result<String, Fault>) -> CallToolResult {
    match result {
        Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
        Err(fault) => CallToolResult::error(vec![ContentBlock::text(fault.to_string())]),
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let identity = Implementation::new("borg-mcp-fs", env!("CARGO_PKG_VERSION")).with_title("BorgOS files");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(identity)
            .with_instructions("Reads files below the allowed folders; list_allowed_directories names them.")
    }
}
