//! The first words with a plugin: which protocol, and which tools.

use rmcp::model::{ListToolsResult, Tool};
use serde_json::{Value, json};

use crate::link::Link;
use crate::listing::Measure;
use crate::questions::LinkFault;

/// What is asked for, and what else is good enough.
const VERSION: &str = "2025-11-25";
const VERSIONS: [&str; 4] = [VERSION, "2025-06-18", "2025-03-26", "2024-11-05"];
const MOST_PAGES: usize = 16;
/// The longest name of a tool: with the plugin's before it, it is still one by the protocol.
const MOST_NAME: usize = 94;

/// Begins the session.
pub async fn greet(link: &Link) -> Result<(), String> {
    let client = json!({ "name": "borg-gateway", "version": env!("CARGO_PKG_VERSION") });
    let hello = json!({ "protocolVersion": VERSION, "capabilities": {}, "clientInfo": client });
    let answer = ask(link, "initialize", hello).await?;
    let version = answer["protocolVersion"].as_str().unwrap_or_default();
    if !VERSIONS.contains(&version) {
        return Err(format!("it speaks MCP {version:?}, not one of {}", VERSIONS.join(", ")));
    }
    link.tell("notifications/initialized", json!({})).await
}

/// The plugin's tools, each name once.
pub async fn tools(link: &Link) -> Result<Vec<Tool>, String> {
    let (mut tools, mut measure, mut cursor): (Vec<Tool>, _, _) = (Vec::new(), Measure::default(), None);
    for _ in 0..MOST_PAGES {
        let params = cursor.map_or_else(|| json!({}), |cursor: String| json!({ "cursor": cursor }));
        let page = ask(link, "tools/list", params).await?;
        let page: ListToolsResult =
            serde_json::from_value(page).map_err(|e| format!("its list of tools is not understood: {e}"))?;
        for tool in page.tools {
            check(&tool, &tools)?;
            measure.add(&tool)?;
            tools.push(tool);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(tools);
        }
    }
    Err(format!("its list of tools has more than {MOST_PAGES} pages"))
}

fn check(tool: &Tool, before: &[Tool]) -> Result<(), String> {
    let name = &tool.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(plain) {
        return Err(format!("a tool's name must be 1 to {MOST_NAME} of A-Z a-z 0-9 _ - . and not {name:?}"));
    }
    if before.iter().any(|other| other.name == *name) {
        return Err(format!("it has two tools {name}"));
    }
    Ok(())
}

async fn ask(link: &Link, method: &str, params: Value) -> Result<Value, String> {
    link.ask(method, params, None).await.map_err(|fault| match fault {
        LinkFault::Answered(error) => error.message.into_owned(),
        LinkFault::Broken(why) => why,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_name_must_be_one_by_the_protocol_and_one_of_a_kind() {
        let tool = |name: &str| Tool::new(name.to_owned(), "", Arc::new(serde_json::Map::new()));
        let fault = |name: &str| check(&tool(name), &[tool("twice")]).err().unwrap_or_default();
        assert_eq!(fault("get.thing_2-x"), "");
        for name in ["", "a b", "x\n", "ü", &"x".repeat(95)] {
            assert!(fault(name).starts_with("a tool's name must be"), "{name}");
        }
        assert_eq!(fault("twice"), "it has two tools twice");
    }
}
