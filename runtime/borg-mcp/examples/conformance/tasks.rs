//! Tools that go on after the call is answered, by the extension of tasks.

use std::pin::Pin;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, CreateTaskResult};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use serde_json::Value;

use crate::input::{Inputs, Step};
use crate::tools::text;

/// Those that only a client with the extension can call.
const NEED_TASKS: [&str; 4] = ["failing_job", "confirm_delete", "multi_input", "test_tool_with_task"];

/// How long the work of most takes.
const WORK: Duration = Duration::from_millis(500);

type Work = Pin<Box<dyn Future<Output = Result<CallToolResult, TaskExit>> + Send>>;

#[derive(Clone)]
pub struct Tasks(pub TaskManager);

impl Default for Tasks {
    fn default() -> Self {
        Tasks(TaskManager::new())
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tasks(…)")
    }
}

impl Tasks {
    /// Nothing if it is another sort of tool.
    pub async fn call(
        &self,
        inputs: &Inputs,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<CallToolResponse>, ErrorData> {
        let later = context.client_capabilities().is_some_and(|client| client.supports_tasks());
        if !later && NEED_TASKS.contains(&&*request.name) {
            let needed = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        let argument = |name: &str| request.arguments.as_ref().and_then(|arguments| arguments.get(name)).cloned();
        let answer = match &*request.name {
            "greet" => text(format!("Hello, {}!", plain(argument("name")))).into(),
            "slow_compute" => {
                let seconds = argument("seconds").and_then(|seconds| seconds.as_f64()).unwrap_or(1.0);
                let time = Duration::try_from_secs_f64(seconds).unwrap_or(WORK);
                let said = format!("computed {}", plain(argument("label")));
                if later {
                    self.begin(move |task| Box::pin(compute(task, time, said)))
                } else {
                    tokio::time::sleep(time).await;
                    text(said).into()
                }
            }
            "protocol_error_job" if later => self.begin(|_| {
                Box::pin(async {
                    tokio::time::sleep(WORK).await;
                    Err(TaskExit::Error(broken()))
                })
            }),
            "protocol_error_job" => return Err(broken()),
            "failing_job" => self.begin(|_| {
                Box::pin(async {
                    tokio::time::sleep(WORK).await;
                    Ok(borg_mcp::fault("it failed, as it should"))
                })
            }),
            "confirm_delete" => self.gather(inputs, &["confirm"]),
            "multi_input" => self.gather(inputs, &["input-a", "input-b"]),
            "test_tool_with_task" => {
                let (state, answers) = (request.request_state.as_deref(), request.input_responses.as_ref());
                if let Some(Step::Ask(ask)) = inputs.step(&request.name, state, answers)? {
                    return Ok(Some(ask.into()));
                }
                let name = answers.and_then(|answers| answers.get("user_name")?.pointer("/content/name")).cloned();
                let hello = format!("Hello, {}!", plain(name));
                self.begin(|_| {
                    Box::pin(async {
                        tokio::time::sleep(WORK).await;
                        Ok(text(hello))
                    })
                })
            }
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }

    fn begin(&self, work: impl FnOnce(TaskContext) -> Work) -> CallToolResponse {
        CreateTaskResult::new(self.0.spawn(TaskOptions::default(), work)).into()
    }

    /// Asks for all at once, and says what came.
    fn gather(&self, inputs: &Inputs, keys: &[&str]) -> CallToolResponse {
        let questions = inputs.questions(keys);
        self.begin(|task| {
            Box::pin(async move {
                let mut asked = tokio::task::JoinSet::new();
                for (key, question) in questions {
                    let task = task.clone();
                    asked.spawn(async move { task.request_input(key, question).await });
                }
                let mut said = Vec::new();
                while let Some(answer) = asked.join_next().await {
                    let lost = |e: tokio::task::JoinError| ErrorData::internal_error(e.to_string(), None);
                    said.push(answer.map_err(|e| TaskExit::Error(lost(e)))??.to_string());
                }
                Ok(text(said.join(", ")))
            })
        })
    }
}

async fn compute(task: TaskContext, time: Duration, said: String) -> Result<CallToolResult, TaskExit> {
    tokio::select! {
        () = task.cancelled() => Err(TaskExit::Cancelled),
        () = tokio::time::sleep(time) => Ok(text(said)),
    }
}

fn broken() -> ErrorData {
    ErrorData::internal_error("it broke, as it should", None)
}

fn plain(value: Option<Value>) -> String {
    value.as_ref().and_then(Value::as_str).unwrap_or("friend").to_owned()
}
