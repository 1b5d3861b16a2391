//! From a tool's name and its arguments to what it does.

use std::time::Instant;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

use crate::answer::Answer;
use crate::content::{self, Query};
use crate::edit::{self, Edit};
use crate::fault::Fault;
use crate::list::{self, SortBy};
use crate::paths::path_text;
use crate::read::{self, Part};
use crate::roots::Roots;
use crate::{find, shift, write};

/// Runs a tool, on a thread that may block. Walks end at `until`.
pub fn run(roots: &Roots, tool: &str, arguments: Value, until: Instant) -> Result<Answer, Fault> {
    let asked = Asked { tool, arguments };
    let text = match tool {
        "read_file" | "read_text_file" => asked.take().and_then(|a: Text| read::text(roots, &a.path, a.part()?)),
        "read_media_file" => return asked.take().and_then(|a: One| read::media(roots, &a.path)),
        "read_byte_range" => return asked.take().and_then(|a: Range| read::range(roots, &a.path, a.offset, a.length)),
        "read_multiple_files" => asked.take().and_then(|a: Many| read::multiple(roots, &a.paths)),
        "list_directory" => asked.take().and_then(|a: One| list::names(roots, &a.path, until)),
        "list_directory_with_sizes" => asked.take().and_then(|a: Sizes| list::sizes(roots, &a.path, a.sort()?, until)),
        "directory_tree" => asked.take().and_then(|a: Tree| find::tree(roots, &a.path, &a.exclude_patterns, until)),
        "search_files" => {
            asked.take().and_then(|a: Find| find::search(roots, &a.path, &a.pattern, &a.exclude_patterns, until))
        }
        "search_content" => {
            asked.take().and_then(|a: Content| content::search(roots, &a.path.clone(), &a.query()?, until))
        }
        "get_file_info" => asked.take().and_then(|a: One| list::info(roots, &a.path)),
        "list_allowed_directories" => Ok(allowed(roots)),
        "write_file" => asked.take().and_then(|a: Write| write::file(roots, &a.path, &a.content, until)),
        "append_file" => asked.take().and_then(|a: Write| write::append(roots, &a.path, &a.content, until)),
        "edit_file" => asked.take().and_then(|a: Change| edit::file(roots, &a.path, &a.edits, a.dry_run, until)),
        "create_directory" => asked.take().and_then(|a: One| shift::make_folder(roots, &a.path)),
        "move_file" => asked.take().and_then(|a: Move| shift::rename(roots, &a.source, &a.destination, until)),
        "trash_file" => asked.take().and_then(|a: One| shift::trash(roots, &a.path)),
        _ => Err(Fault::new(format!("MCP error -32602: Tool {tool} not found"))),
    };
    Answer::text(text?)
}

fn allowed(roots: &Roots) -> String {
    let names: Vec<String> = roots.names().into_iter().map(path_text).collect();
    format!("Allowed directories:\n{}", names.join("\n"))
}

struct Asked<'a> {
    tool: &'a str,
    arguments: Value,
}

impl Asked<'_> {
    /// In the words of the reference server, which tells of a wrong argument as a tool's result.
    fn take<T: DeserializeOwned>(self) -> Result<T, Fault> {
        let tool = self.tool;
        serde_json::from_value(self.arguments).map_err(|e| {
            Fault::new(format!("MCP error -32602: Input validation error: Invalid arguments for tool {tool}: {e}"))
        })
    }
}

#[derive(Deserialize)]
struct One {
    path: String,
}

#[derive(Deserialize)]
struct Many {
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct Write {
    path: String,
    content: String,
}

#[derive(Deserialize)]
struct Move {
    source: String,
    destination: String,
}

#[derive(Deserialize)]
struct Text {
    path: String,
    head: Option<Number>,
    tail: Option<Number>,
}

impl Text {
    fn part(&self) -> Result<Part, Fault> {
        match (lines(self.head.as_ref())?, lines(self.tail.as_ref())?) {
            (None, None) => Ok(Part::Whole),
            (Some(count), None) => Ok(Part::Head(count)),
            (None, Some(count)) => Ok(Part::Tail(count)),
            (Some(_), Some(_)) => Err(Fault::new("Cannot specify both head and tail parameters simultaneously")),
        }
    }
}

/// A number of lines; 0 is as good as none, as with the reference server.
fn lines(number: Option<&Number>) -> Result<Option<usize>, Fault> {
    let Some(number) = number else { return Ok(None) };
    // 3.0 is a whole number to JSON.
    let whole = number
        .as_u64()
        .or_else(|| number.as_f64().filter(|n| n.fract() == 0.0).and_then(|n| format!("{n:.0}").parse().ok()));
    let count = whole.and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or_else(|| Fault::new(format!("{number}: not a number of lines")))?;
    Ok(Some(count).filter(|count| *count > 0))
}

#[derive(Deserialize)]
struct Range {
    path: String,
    #[serde(default)]
    offset: u64,
    #[serde(default = "length")]
    length: u64,
}

fn length() -> u64 {
    64 * 1024
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sizes {
    path: String,
    sort_by: Option<String>,
}

impl Sizes {
    fn sort(&self) -> Result<SortBy, Fault> {
        match self.sort_by.as_deref() {
            None | Some("name") => Ok(SortBy::Name),
            Some("size") => Ok(SortBy::Size),
            Some(other) => Err(Fault::new(format!("sortBy {other}: must be name or size"))),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tree {
    path: String,
    #[serde(default)]
    exclude_patterns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Find {
    path: String,
    pattern: String,
    #[serde(default)]
    exclude_patterns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    path: String,
    edits: Vec<Edit>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    path: String,
    pattern: String,
    #[serde(default)]
    literal: bool,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude_patterns: Vec<String>,
    max_results: Option<usize>,
}

impl Content {
    fn query(self) -> Result<Query, Fault> {
        let max = self.max_results.unwrap_or(1000);
        if !(1..=10_000).contains(&max) {
            return Err(Fault::new(format!("maxResults {max}: must be from 1 to 10000")));
        }
        Ok(Query {
            pattern: self.pattern,
            literal: self.literal,
            ignore_case: self.ignore_case,
            include: self.include,
            exclude: self.exclude_patterns,
            max,
        })
    }
}
