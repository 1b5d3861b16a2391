//! What clients are told besides answers: logs, progress, changes.

use std::time::Duration;

use rmcp::model::{CallToolResult, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use tokio::sync::broadcast;

use crate::server::Server;
use crate::tools::text;

/// How long the suite wants between two notes.
const PAUSE: Duration = Duration::from_millis(50);

async fn say(context: &RequestContext<RoleServer>, level: LoggingLevel, message: &str) {
    let note = LoggingMessageNotificationParam::new(level, message.into()).with_logger("conformance");
    // A client that has left is no fault.
    let _ = context.peer.notify_logging_message(note).await;
}

pub async fn log(server: &Server, context: &RequestContext<RoleServer>) -> CallToolResult {
    for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        if server.logs(LoggingLevel::Info) {
            say(context, LoggingLevel::Info, message).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    text("logged")
}

/// By the later protocol each request says what it wants to hear.
pub async fn log_if_asked(context: &RequestContext<RoleServer>) -> CallToolResult {
    if let Some(level) = context.meta.log_level() {
        say(context, level, "a line").await;
    }
    text("logged if asked")
}

pub async fn progress(context: &RequestContext<RoleServer>) -> CallToolResult {
    let token = context.meta.get_progress_token();
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = &token {
            let note = ProgressNotificationParam::new(token.clone(), done).with_total(100.0);
            let _ = context.peer.notify_progress(note).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    text("done")
}

#[derive(Debug, Clone, Copy)]
pub enum Change {
    Tools,
    Prompts,
}

/// Changes that did not happen, for who wants to hear of them.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Changes(broadcast::Sender::new(16))
    }
}

impl Changes {
    pub fn tell(&self, change: Change) -> CallToolResult {
        // It need not interest anybody.
        text(format!("told {} subscribers", self.0.send(change).unwrap_or_default()))
    }

    /// Until the subscriber has enough.
    pub async fn pass_on(&self, context: &SubscriptionContext) {
        let mut changes = self.0.subscribe();
        let wanted = context.accepted();
        loop {
            let change = tokio::select! {
                () = context.cancelled() => return,
                change = changes.recv() => change,
            };
            let sent = match change {
                Ok(Change::Tools) if wanted.tools_list_changed == Some(true) => {
                    context.sink().notify_tool_list_changed().await
                }
                Ok(Change::Prompts) if wanted.prompts_list_changed == Some(true) => {
                    context.sink().notify_prompt_list_changed().await
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => Ok(()),
                Err(broadcast::error::RecvError::Closed) => return,
            };
            if sent.is_err() {
                return;
            }
        }
    }
}
