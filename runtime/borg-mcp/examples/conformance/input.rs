//! Tools that need answers of the client before they have one themselves, as the protocol without sessions has it: they name
//! what they need, and are called again with it.

use std::collections::BTreeMap;

use borg_mcp::Failure;
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, InputRequest, InputRequests, InputRequiredResult,
    InputResponses,
};
use rmcp::service::{RequestContext, RoleServer};

use crate::states::States;
use crate::tools::text;

/// What is asked for in each round, by the names in `questions.json`.
#[derive(Debug)]
struct Task {
    tool: &'static str,
    rounds: &'static [&'static [&'static str]],
    /// Whether the client carries a note of how far it is.
    noted: bool,
}

const TASKS: [Task; 10] = [
    Task { tool: "test_input_required_result_elicitation", rounds: &[&["user_name"]], noted: false },
    Task { tool: "test_input_required_result_sampling", rounds: &[&["capital_question"]], noted: false },
    Task { tool: "test_input_required_result_list_roots", rounds: &[&["client_roots"]], noted: false },
    Task { tool: "test_input_required_result_request_state", rounds: &[&["confirm"]], noted: true },
    Task { tool: "test_input_required_result_tampered_state", rounds: &[&["confirm"]], noted: true },
    Task {
        tool: "test_input_required_result_multiple_inputs",
        rounds: &[&["user_name", "greeting", "client_roots"]],
        noted: true,
    },
    Task { tool: "test_input_required_result_multi_round", rounds: &[&["step1"], &["step2"]], noted: true },
    Task { tool: "test_input_required_result_prompt", rounds: &[&["user_context"]], noted: false },
    Task { tool: "test_tool_with_task", rounds: &[&["user_name"]], noted: false },
    Task { tool: "test_streaming_elicitation", rounds: &[&["value"]], noted: false },
];

/// Asks for whatever the client says that it can answer.
const CAPABILITIES: &str = "test_input_required_result_capabilities";

#[derive(Debug, Clone)]
pub struct Inputs {
    questions: BTreeMap<String, InputRequest>,
    states: States,
}

/// How a call with answers goes on.
#[derive(Debug)]
pub enum Step {
    Ask(InputRequiredResult),
    /// With all that was asked for.
    Done,
}

impl Inputs {
    pub fn new() -> Result<Self, Failure> {
        let questions = crate::data("questions.json", include_str!("questions.json"))?;
        Ok(Inputs { questions, states: States::default() })
    }

    /// Nothing if it is another sort of tool.
    pub fn call(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<CallToolResponse>, ErrorData> {
        let answers = request.input_responses.as_ref();
        if request.name == CAPABILITIES && answers.is_none() {
            let ask = self.answerable(&context.client_capabilities().unwrap_or_default());
            return Ok(Some(InputRequiredResult::from_input_requests(ask).into()));
        }
        let step = match self.step(&request.name, request.request_state.as_deref(), answers)? {
            Some(step) => step,
            None if request.name == CAPABILITIES => Step::Done,
            None => return Ok(None),
        };
        let answers = serde_json::to_string(&answers).unwrap_or_default();
        let noted = if request.request_state.is_some() { "state-ok, " } else { "" };
        Ok(Some(match step {
            Step::Ask(ask) => ask.into(),
            Step::Done => text(format!("{noted}answers: {answers}")).into(),
        }))
    }

    pub fn step(
        &self,
        tool: &str,
        state: Option<&str>,
        answers: Option<&InputResponses>,
    ) -> Result<Option<Step>, ErrorData> {
        let Some(task) = TASKS.iter().find(|task| task.tool == tool) else { return Ok(None) };
        // Whoever carries no note has been asked at most once.
        let asked = match state {
            Some(state) => self.states.round(task.tool, state)?,
            None => usize::from(!task.noted),
        };
        let round = asked.checked_sub(1).and_then(|last| task.rounds.get(last));
        let good = |key: &&str| answers.and_then(|answers| answers.get(*key)).is_some_and(serde_json::Value::is_object);
        let answered = round.is_some_and(|keys| keys.iter().all(good));
        let next = if answered { asked } else { asked.saturating_sub(1) };
        let Some(keys) = task.rounds.get(next) else { return Ok(Some(Step::Done)) };
        let state = if task.noted { Some(self.states.note(task.tool, next + 1)?) } else { None };
        Ok(Some(Step::Ask(InputRequiredResult::new(Some(self.questions(keys)), state))))
    }

    pub fn questions(&self, keys: &[&str]) -> InputRequests {
        let questions = self.questions.iter().filter(|(key, _)| keys.contains(&key.as_str()));
        questions.map(|(key, question)| (key.clone(), question.clone())).collect()
    }

    fn answerable(&self, client: &ClientCapabilities) -> InputRequests {
        let can = [
            ("user_name", client.elicitation.is_some()),
            ("greeting", client.sampling.is_some()),
            ("client_roots", client.roots.is_some()),
        ];
        let keys: Vec<&str> = can.iter().filter(|(_, can)| *can).map(|(key, _)| *key).collect();
        self.questions(&keys)
    }
}
