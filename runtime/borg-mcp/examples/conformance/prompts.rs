//! The prompts, and what completes their arguments.

use borg_mcp::Failure;
use rmcp::ErrorData;
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    JsonObject, ListPromptsResult, Prompt,
};
use serde_json::{Value, json};

use crate::input::{Inputs, Step};

#[derive(Debug, Clone)]
pub struct Prompts(Vec<Prompt>);

impl Prompts {
    pub fn new() -> Result<Self, Failure> {
        crate::data("prompts.json", include_str!("prompts.json")).map(Prompts)
    }

    pub fn all(&self) -> ListPromptsResult {
        ListPromptsResult::with_all_items(self.0.clone())
    }
}

pub fn get(inputs: &Inputs, request: GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let answers = request.input_responses.as_ref();
    match inputs.step(&request.name, request.request_state.as_deref(), answers)? {
        Some(Step::Ask(ask)) => return Ok(ask.into()),
        Some(Step::Done) => return prompt(&[text(&format!("In this context: {}", json!(answers)))]),
        None => {}
    }
    let arguments = request.arguments.unwrap_or_default();
    match request.name.as_str() {
        "test_simple_prompt" => prompt(&[text("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => {
            let [one, two] = ["arg1", "arg2"].map(|name| argument(&arguments, name));
            prompt(&[text(&format!("Prompt with arguments: arg1='{}', arg2='{}'", one?, two?))])
        }
        "test_prompt_with_embedded_resource" => {
            let uri = argument(&arguments, "resourceUri")?;
            let content = "Embedded resource content for testing.";
            let resource = json!({ "uri": uri, "mimeType": "text/plain", "text": content });
            let resource = json!({ "type": "resource", "resource": resource });
            prompt(&[resource, text("Please process the embedded resource above.")])
        }
        "test_prompt_with_image" => {
            let image = json!({ "type": "image", "data": crate::resources::IMAGE, "mimeType": "image/png" });
            prompt(&[image, text("Please analyze the image above.")])
        }
        name => Err(ErrorData::invalid_params(format!("there is no prompt {name}"), None)),
    }
}

pub fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let words = ["paris", "park", "party", "test"].into_iter();
    let values = words.filter(|word| word.starts_with(&request.argument.value)).map(str::to_owned).collect();
    CompletionInfo::new(values).map(CompleteResult::new).map_err(|e| ErrorData::internal_error(e, None))
}

fn argument<'a>(arguments: &'a JsonObject, name: &str) -> Result<&'a str, ErrorData> {
    let missing = || ErrorData::invalid_params(format!("the argument {name} is missing"), None);
    arguments.get(name).and_then(Value::as_str).ok_or_else(missing)
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn prompt(contents: &[Value]) -> Result<GetPromptResponse, ErrorData> {
    let messages: Vec<Value> = contents.iter().map(|content| json!({ "role": "user", "content": content })).collect();
    let messages = serde_json::from_value(Value::Array(messages));
    let messages = messages.map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
    Ok(GetPromptResult::new(messages).into())
}
