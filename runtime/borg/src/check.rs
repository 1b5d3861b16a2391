//! `borg plugin check`: a Python file, run by the plugin host in the sandbox of a plugin.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use borg_plugin::{Checked, MAX_REQUEST, Request};
use rmcp::model::Tool;

use crate::list;
use crate::outcome::{Failure, Outcome};
use crate::show;

/// Longer than the host lets a check take.
const TIME: Duration = Duration::from_mins(1);
/// The most bytes of its answer.
const ANSWER_LIMIT: u64 = 8 * 1024 * 1024;

pub fn run(file: &Path, host: &Path) -> Outcome {
    let request = request(file).map_err(Failure::Usage)?;
    let answer = ask(host, &request).map_err(|e| {
        let place = host.display();
        Failure::Unreachable(format!("cannot ask the plugin host at {place}: {e}; are you root or of the group borg?"))
    })?;
    match Checked::parse(answer.as_bytes()).map_err(Failure::Failed)? {
        Checked::Tools(tools) if tools.is_empty() => {
            Err(Failure::Failed(format!("{} has no tool: mark a function with @Tool(name=…, desc=…)", file.display())))
        }
        Checked::Tools(tools) => {
            let tools: Result<Vec<Tool>, _> = tools.into_iter().map(serde_json::from_value::<Tool>).collect();
            list::tools(&tools.map_err(|e| Failure::Failed(format!("a tool is not one by MCP: {e}")))?, false)
        }
        Checked::Error(error) => {
            Err(Failure::Failed(format!("{} does not run:\n{}", file.display(), show::harmless(error.trim_end()))))
        }
    }
}

fn request(file: &Path) -> Result<String, String> {
    let fault = |why: &str| format!("{}: {why}", file.display());
    let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(|| fault("is no name of a plugin"))?;
    borg_plugin::Name::of_python(name).map_err(|e| fault(&e.to_string()))?;
    let source = fs::read_to_string(file).map_err(|e| fault(&e.to_string()))?;
    let line = Request::Check { name: name.to_owned(), source }.line();
    if line.len() > MAX_REQUEST { Err(fault("is longer than 1 MiB as JSON, which no plugin may be")) } else { Ok(line) }
}

fn ask(host: &Path, request: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(host)?;
    stream.set_read_timeout(Some(TIME))?;
    stream.set_write_timeout(Some(TIME))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(ANSWER_LIMIT)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(std::io::Error::other("it closed the connection without an answer"));
    }
    Ok(answer)
}
