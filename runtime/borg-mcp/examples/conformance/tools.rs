//! The tools: those that always answer the same, and which part has the others.

use std::collections::HashMap;
use std::time::Duration;

use borg_mcp::{Failure, ToolList};
use rmcp::ErrorData;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::server::Server;
use crate::tell::Change;
use crate::{ask, tell};

#[derive(Debug, Clone)]
pub struct Tools {
    pub list: ToolList,
    answers: HashMap<String, CallToolResult>,
}

impl Tools {
    pub fn new() -> Result<Self, Failure> {
        let list = ToolList::parse(include_str!("tools.json"))?;
        Ok(Tools { list, answers: crate::data("answers.json", include_str!("answers.json"))? })
    }
}

pub fn text(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

pub async fn call(
    server: &Server,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    if let Some(answer) = server.tools.answers.get(&*request.name) {
        return Ok(answer.clone().into());
    }
    if let Some(answer) = server.tasks.call(&server.inputs, &request, &context).await? {
        return Ok(answer);
    }
    if let Some(answer) = server.inputs.call(&request, &context)? {
        return Ok(answer);
    }
    let argument = |name: &str| {
        let value = request.arguments.as_ref().and_then(|arguments| arguments.get(name)).and_then(Value::as_str);
        value.ok_or_else(|| ErrorData::invalid_params(format!("{name} is missing"), None))
    };
    let answer = match &*request.name {
        "test_tool_with_logging" => tell::log(server, &context).await,
        "test_logging_tool" => tell::log_if_asked(&context).await,
        "test_tool_with_progress" => tell::progress(&context).await,
        "test_sampling" => ask::model(&context, argument("prompt")?).await,
        "test_elicitation" => ask::user(&context, &request.name, argument("message")?).await,
        "test_elicitation_sep1034_defaults" | "test_elicitation_sep1330_enums" => {
            ask::user(&context, &request.name, "Please look at these values").await
        }
        "test_reconnection" => {
            tokio::time::sleep(Duration::from_millis(100)).await;
            text("here again")
        }
        "test_custom_header" => text(argument("value")?),
        "test_missing_capability" => {
            if context.client_capabilities().is_none_or(|client| client.sampling.is_none()) {
                let needed = ClientCapabilities::builder().enable_sampling().build();
                return Err(ErrorData::missing_required_client_capability(needed));
            }
            text("the client has a model")
        }
        "test_trigger_tool_change" => server.changes.tell(Change::Tools),
        "test_trigger_prompt_change" => server.changes.tell(Change::Prompts),
        name => return Err(ErrorData::invalid_params(format!("there is no tool {name}"), None)),
    };
    Ok(answer.into())
}
