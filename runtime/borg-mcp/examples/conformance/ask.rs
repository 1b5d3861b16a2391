//! What the server asks its client while a tool works, as the protocols with sessions have it.

use rmcp::model::{
    CallToolResult, ClientResult, CreateMessageRequestParams, ElicitRequest, ElicitRequestParams, ElicitationSchema,
    SamplingMessage, ServerRequest,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::Value;

use crate::tools::text;

/// The forms of the tools, by their names.
const FORMS: &str = include_str!("forms.json");

pub async fn model(context: &RequestContext<RoleServer>, prompt: &str) -> CallToolResult {
    let question = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    match context.peer.create_message(question).await {
        Ok(answer) => {
            let said = answer.message.content.first().and_then(|content| content.as_text());
            text(format!("LLM response: {}", said.map_or("", |said| said.text.as_str())))
        }
        Err(e) => borg_mcp::fault(&format!("no answer of the model: {e}")),
    }
}

pub async fn user(context: &RequestContext<RoleServer>, tool: &str, message: &str) -> CallToolResult {
    let requested_schema = match form(tool) {
        Ok(form) => form,
        Err(e) => return borg_mcp::fault(&format!("forms.json: {tool}: {e}")),
    };
    let form = ElicitRequestParams::FormElicitationParams { meta: None, message: message.into(), requested_schema };
    match context.peer.send_request(ServerRequest::ElicitRequest(ElicitRequest::new(form))).await {
        Ok(ClientResult::ElicitResult(answer)) => {
            let content = answer.content.map(|content| content.to_string()).unwrap_or_default();
            text(format!("User response: action={:?}, content={content}", answer.action))
        }
        Ok(_) => borg_mcp::fault("what the client says is no answer"),
        Err(e) => borg_mcp::fault(&format!("no answer of the user: {e}")),
    }
}

fn form(tool: &str) -> Result<ElicitationSchema, serde_json::Error> {
    let forms: Value = serde_json::from_str(FORMS)?;
    serde_json::from_value(forms.get(tool).cloned().unwrap_or_default())
}
