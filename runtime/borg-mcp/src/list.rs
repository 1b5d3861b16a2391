//! The tools that a service offers, as its `tools.json` has them.

use std::sync::Arc;

use rmcp::model::{CallToolResult, ContentBlock, ListToolsResult, Tool};

#[derive(Debug, Clone)]
pub struct ToolList(Arc<Vec<Tool>>);

impl ToolList {
    /// From a JSON array of tools.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json).map(|tools| ToolList(Arc::new(tools)))
    }

    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.0.iter().find(|tool| tool.name == name)
    }

    pub fn all(&self) -> ListToolsResult {
        ListToolsResult::with_all_items(self.0.to_vec())
    }
}

/// What a tool answers that cannot do what was asked: a line for the model.
pub fn fault(text: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}
