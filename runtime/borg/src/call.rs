//! `borg call`.

use rmcp::model::Tool;

use crate::convert::{arguments, suggestion};
use crate::gateway::Gateway;
use crate::outcome::{Failure, Outcome};
use crate::show;

pub fn run(gateway: &Gateway, name: &str, pairs: &[String], json: bool) -> Outcome {
    let tools = gateway.tools()?;
    let arguments = arguments(find(&tools, name)?, pairs).map_err(Failure::Usage)?;
    let result = gateway.call(name, arguments)?;
    let failed = result.is_error == Some(true);
    if json {
        show::print_json(&result)?;
    }
    let text = show::text(&result);
    match (failed, json) {
        (true, true) => Err(Failure::Failed(format!("{name} failed"))),
        (true, false) => Err(Failure::Failed(format!("{name}: {}", show::harmless(&text)))),
        (false, false) if !text.is_empty() => show::print(&text),
        (false, _) => Ok(()),
    }
}

fn find<'a>(tools: &'a [Tool], name: &str) -> Outcome<&'a Tool> {
    let named = |name: &str| tools.iter().find(|tool| tool.name == name);
    // The gateway knows a plugin's tool by both names together, too, and lists it under its own where that will do.
    let own = || named(name.split_once("__")?.1);
    named(name).or_else(own).ok_or_else(|| {
        let near = suggestion(name, tools.iter().map(|tool| tool.name.as_ref()));
        Failure::Usage(format!("there is no tool {name}{near}; `borg tools` shows all"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_tool_is_found_by_each_of_its_names() {
        let tools = ["hello", "hello__world"].map(|name| Tool::new(name, "", Arc::new(serde_json::Map::new())));
        for (name, found) in [("hello", "hello"), ("hello__world", "hello__world"), ("hello__hello", "hello")] {
            assert_eq!(find(&tools, name).unwrap().name, found);
        }
        let fault = find(&tools, "helo").unwrap_err().to_string();
        assert_eq!(fault, "there is no tool helo (did you mean hello?); `borg tools` shows all");
    }
}
