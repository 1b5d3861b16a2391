//! `borg tools` and `borg plugin list`.

use std::fmt::Write as _;

use rmcp::model::Tool;
use serde_json::json;

use crate::convert::parameters;
use crate::gateway::Plugins;
use crate::outcome::Outcome;
use crate::show;

/// The most characters of a column that others stand after.
const WIDEST: usize = 40;

pub fn tools(tools: &[Tool], json: bool) -> Outcome {
    if json {
        return show::print_json(&json!({ "tools": tools }));
    }
    if tools.is_empty() {
        return show::print("there are no tools");
    }
    show::print(&columns(&tools.iter().map(row).collect::<Vec<_>>()))
}

fn row(tool: &Tool) -> [String; 3] {
    let description = tool.description.as_deref().or(tool.title.as_deref()).unwrap_or_default();
    [tool.name.to_string(), parameters(tool).join(", "), first_line(description)]
}

pub fn plugins(plugins: &Plugins, json: bool) -> Outcome {
    if json {
        return show::print_json(plugins);
    }
    let rows: Vec<[String; 3]> = plugins
        .plugins
        .iter()
        .map(|plugin| [plugin.name.clone(), plugin.state.clone(), plugin.tools.join(", ")])
        .collect();
    let mut text = if rows.is_empty() { "there are no plugins\n".to_owned() } else { columns(&rows) };
    let faults = plugins.plugins.iter().filter_map(|plugin| Some((plugin.name.as_str(), plugin.error.as_deref()?)));
    for (name, fault) in faults.chain(plugins.error.as_deref().map(|fault| ("plugins", fault))) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{name}: {}\n", fault.trim_end());
    }
    show::print(&text)
}

fn first_line(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().to_owned()
}

fn columns(rows: &[[String; 3]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(WIDEST);
    let (first, second) = (width(0), width(1));
    let line = |[one, two, three]: &[String; 3]| format!("{one:first$}  {:second$}  {three}", cut(two));
    rows.iter().map(|row| line(row).trim_end().to_owned() + "\n").collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    text.chars().take(WIDEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [("read", "path, head?", "Reads."), ("x", "", "")].map(|(a, b, c)| [a, b, c].map(str::to_owned));
        assert_eq!(columns(&rows), "read  path, head?  Reads.\nx\n");
        let long = [["a".to_owned(), "x, ".repeat(30), "y".to_owned()]];
        assert_eq!(columns(&long), format!("a  {}…  y\n", &"x, ".repeat(30)[..39]));
    }

    #[test]
    fn one_line_of_a_description_is_enough() {
        assert_eq!(first_line("\n  Reads a file.\nMore."), "Reads a file.");
        assert_eq!(first_line(""), "");
    }
}
