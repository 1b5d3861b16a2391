//! From a tool's name and its arguments to what it answers.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regex::RegexBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::history::{Line, Page};
use crate::journal;
use crate::monitor::Shared;

const MOST_LINES: usize = 1000;
const MOST_WAIT: f64 = 30.0;
const MOST_TEXT: usize = 4096;
const MOST_PATTERN: usize = 1000;
/// How long a search may take.
const SEARCH_TIME: Duration = Duration::from_secs(2);
/// How long a port may take to take a line.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// Text for people and models, and the same for machines; or a fault that the caller can act on.
pub type Answer = Result<(String, Value), String>;

pub async fn run(shared: &Shared, tool: &str, arguments: Value) -> Answer {
    match tool {
        "list_ports" => take::<Nothing>(tool, arguments).map(|_| list(shared)),
        "port_status" => status(shared, &take::<Port>(tool, arguments)?.port),
        "read_lines" => read(shared, take(tool, arguments)?).await,
        "search_lines" => search(shared, take(tool, arguments)?).await,
        "write_line" => write(shared, take(tool, arguments)?).await,
        _ => Err(format!("there is no tool {tool}")),
    }
}

fn take<T: DeserializeOwned>(tool: &str, arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments).map_err(|e| format!("invalid arguments for {tool}: {e}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    port: String,
}

fn list(shared: &Shared) -> (String, Value) {
    let ports = shared.board.all();
    let line = |status: &crate::board::Status| {
        let state = if status.listening { "listening" } else { "not there" };
        format!("{}: {state}, {} baud", status.port, status.baud)
    };
    let text = if ports.is_empty() {
        "no port has been there yet".into()
    } else {
        ports.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    (text, json!({ "ports": ports }))
}

fn status(shared: &Shared, port: &str) -> Answer {
    let status = shared.board.one(port).ok_or_else(|| unknown(shared, port))?;
    let value = serde_json::to_value(status).map_err(|e| e.to_string())?;
    Ok((value.to_string(), value))
}

fn unknown(shared: &Shared, port: &str) -> String {
    let names: Vec<String> = shared.board.all().into_iter().map(|status| status.port).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("{port}: no port of this name has been there; known are: {known}")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    port: Option<String>,
    since: Option<u64>,
    #[serde(default = "hundred")]
    max: usize,
    #[serde(default)]
    wait: f64,
}

fn hundred() -> usize {
    100
}

async fn read(shared: &Shared, asked: Read) -> Answer {
    let max = within(asked.max)?;
    if !(0.0..=MOST_WAIT).contains(&asked.wait) {
        return Err(format!("wait {}: must be from 0 to {MOST_WAIT} seconds", asked.wait));
    }
    let history = &shared.record.history;
    let wanted = |line: &Line| asked.port.as_ref().is_none_or(|port| *port == line.port);
    let Some(since) = asked.since else { return Ok(page(history.newest_of(max, |line| Some(wanted(line))))) };
    let mut newer = history.follow();
    let found = async {
        let mut from = since;
        loop {
            newer.borrow_and_update();
            let page = history.since(from, max, wanted);
            // Lines of other ports are passed over; lines that were lost are worth telling.
            if !page.lines.is_empty() || page.lost > 0 || newer.changed().await.is_err() {
                return page;
            }
            from = page.cursor;
        }
    };
    // When too many wait already, this one is answered at once.
    let turn = shared.waiting.try_acquire();
    let wait = if turn.is_ok() { asked.wait } else { 0.0 };
    let late = tokio::time::timeout(Duration::from_secs_f64(wait), found).await;
    Ok(page(late.unwrap_or_else(|_| history.since(since, max, wanted))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Search {
    pattern: String,
    #[serde(default)]
    literal: bool,
    #[serde(default)]
    ignore_case: bool,
    port: Option<String>,
    #[serde(default = "hundred")]
    max: usize,
}

async fn search(shared: &Shared, asked: Search) -> Answer {
    let max = within(asked.max)?;
    if asked.pattern.len() > MOST_PATTERN {
        return Err(format!("the pattern must be of at most {MOST_PATTERN} bytes"));
    }
    let pattern = if asked.literal { regex::escape(&asked.pattern) } else { asked.pattern };
    let mut builder = RegexBuilder::new(&pattern);
    // Enough for any pattern that a person writes, and little enough for a hostile one.
    builder.case_insensitive(asked.ignore_case).size_limit(1 << 17).dfa_size_limit(1 << 20);
    let regex = builder.build().map_err(|e| e.to_string())?;
    let record = Arc::clone(&shared.record);
    let work = tokio::task::spawn_blocking(move || {
        let (end, late) = (Instant::now() + SEARCH_TIME, Cell::new(false));
        let page = record.history.newest_of(max, |line| {
            late.set(Instant::now() > end);
            let ours = asked.port.as_ref().is_none_or(|port| *port == line.port);
            (!late.get()).then(|| ours && regex.is_match(&line.text))
        });
        (page, late.get())
    });
    let (found, late) = work.await.map_err(|_| "the search broke off; this is a fault of borg-com-monitor")?;
    let (text, value) = page(found);
    Ok((if late { format!("… only the newest lines were searched: it took too long\n{text}") } else { text }, value))
}

fn within(max: usize) -> Result<usize, String> {
    if (1..=MOST_LINES).contains(&max) { Ok(max) } else { Err(format!("max {max}: must be from 1 to {MOST_LINES}")) }
}

fn page(page: Page) -> (String, Value) {
    let mut text: String = page.lines.iter().map(journal::plain).collect();
    if page.lost > 0 {
        text = format!("… {} older lines are not in memory any more\n{text}", page.lost);
    }
    if text.is_empty() {
        text = "no lines".into();
    }
    (text, json!({ "lines": page.lines, "cursor": page.cursor, "lost": page.lost }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    port: String,
    text: String,
    #[serde(default)]
    ending: Ending,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ending {
    #[default]
    Lf,
    Cr,
    Crlf,
    None,
}

async fn write(shared: &Shared, asked: Write) -> Answer {
    let Write { port, text, ending } = asked;
    let status = shared.board.one(&port).ok_or_else(|| unknown(shared, &port))?;
    if !status.writable {
        return Err(format!(
            "{port}: the device's profile does not allow writing to it (`write: true` for the port does)"
        ));
    }
    if text.len() > MOST_TEXT || text.contains(['\n', '\r']) {
        return Err(format!("the text must be one line of at most {MOST_TEXT} bytes"));
    }
    let open = shared.board.open(&port).ok_or_else(|| format!("{port}: not there now"))?;
    let end = match ending {
        Ending::Lf => "\n",
        Ending::Cr => "\r",
        Ending::Crlf => "\r\n",
        Ending::None => "",
    };
    let bytes = format!("{text}{end}").into_bytes();
    let written = bytes.len();
    // One line at a time, so that no two are mixed; who comes meanwhile is refused rather than written late.
    let Ok(turn) = Arc::clone(&shared.writing).try_lock_owned() else {
        return Err(format!("{port}: another line is being written; try again"));
    };
    let work = tokio::task::spawn_blocking(move || {
        let done = write_until(&open, &bytes, Instant::now() + WRITE_TIME);
        drop(turn);
        done
    });
    let (count, fault) = work.await.map_err(|_| "writing broke off; this is a fault of borg-com-monitor")?;
    shared.record.notice(&format!("{port}: {count} of {written} bytes written by an MCP client"));
    match fault {
        None => Ok((format!("{written} bytes written"), json!({ "written": written }))),
        Some(e) => Err(format!("{port}: {count} of {written} bytes written: {e}")),
    }
}

/// How many bytes the port took, and why not all.
fn write_until(port: &serial2::SerialPort, bytes: &[u8], end: Instant) -> (usize, Option<std::io::Error>) {
    let mut count = 0;
    while let Some(rest) = bytes.get(count..).filter(|rest| !rest.is_empty()) {
        if Instant::now() > end {
            return (count, Some(std::io::ErrorKind::TimedOut.into()));
        }
        match port.write(rest) {
            Ok(taken) => count += taken,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return (count, Some(e)),
        }
    }
    (count, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run_on(shared: &Shared, tool: &str, arguments: Value) -> Answer {
        run(shared, tool, arguments).await
    }

    fn filled() -> Shared {
        let shared = Shared::default();
        for (port, text) in [("/dev/a", "boot"), ("/dev/b", "ERROR 7"), ("/dev/a", "error 8")] {
            shared.record.line(port, text.into());
        }
        shared
    }

    fn texts(answer: &Answer) -> Vec<String> {
        let lines = &answer.as_ref().unwrap().1["lines"];
        lines.as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    }

    fn cursor(answer: &Answer) -> u64 {
        answer.as_ref().unwrap().1["cursor"].as_u64().unwrap()
    }

    #[tokio::test]
    async fn lines_are_read_by_port_and_cursor() {
        let shared = filled();
        assert_eq!(texts(&run_on(&shared, "read_lines", json!({})).await), ["boot", "ERROR 7", "error 8"]);
        assert_eq!(texts(&run_on(&shared, "read_lines", json!({"max": 1})).await), ["error 8"]);
        let first = cursor(&run_on(&shared, "read_lines", json!({"since": 0, "max": 1})).await);
        let answer = run_on(&shared, "read_lines", json!({"port": "/dev/a", "since": first})).await;
        assert_eq!((texts(&answer), cursor(&answer)), (vec!["error 8".to_owned()], first + 2));
        assert_eq!(run_on(&shared, "read_lines", json!({"since": first + 2})).await.unwrap().0, "no lines");
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_line_that_is_waited_for() {
        let shared = filled();
        let (other, newest) = (shared.clone(), shared.record.history.newest());
        let waiting = tokio::spawn(async move {
            run_on(&other, "read_lines", json!({"port": "/dev/a", "since": newest, "wait": 30})).await
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        shared.record.line("/dev/b", "not this".into());
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished());
        shared.record.line("/dev/a", "this".into());
        assert_eq!(texts(&waiting.await.unwrap()), ["this"]);
        let answer = run_on(&shared, "read_lines", json!({"port": "/dev/c", "since": 0, "wait": 0.05})).await.unwrap();
        assert_eq!(answer.1["cursor"], newest + 2);
    }

    #[tokio::test]
    async fn lines_are_searched() {
        let shared = filled();
        assert_eq!(texts(&run_on(&shared, "search_lines", json!({"pattern": "^error \\d"})).await), ["error 8"]);
        let both = json!({"pattern": "ERROR", "ignoreCase": true});
        assert_eq!(texts(&run_on(&shared, "search_lines", both).await), ["ERROR 7", "error 8"]);
        let literal = json!({"pattern": "^e", "literal": true});
        assert_eq!(texts(&run_on(&shared, "search_lines", literal).await), [""; 0]);
    }

    #[tokio::test]
    async fn those_who_wait_are_few() {
        let shared = filled();
        let _held = shared.waiting.try_acquire_many(u32::try_from(crate::monitor::WAITING).unwrap()).unwrap();
        let newest = shared.record.history.newest();
        let asked = run_on(&shared, "read_lines", json!({"since": newest, "wait": 30}));
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap().unwrap().0, "no lines");
    }

    #[tokio::test]
    async fn faults_are_named() {
        let shared = filled();
        shared.board.opened("/dev/a", &borg_config::SerialPort::new("/dev/a"), Err("busy".into()));
        for (tool, arguments, part) in [
            ("nothing", json!({}), "there is no tool"),
            ("list_ports", json!({"port": 1}), "unknown field"),
            ("port_status", json!({"port": "/dev/x"}), "known are: /dev/a"),
            ("read_lines", json!({"max": 0}), "from 1 to 1000"),
            ("read_lines", json!({"wait": -1}), "from 0 to 30"),
            ("read_lines", json!({"since": -1}), "invalid arguments"),
            ("search_lines", json!({"pattern": "("}), "unclosed group"),
            ("search_lines", json!({"pattern": "x".repeat(1001), "literal": true}), "at most 1000 bytes"),
            ("search_lines", json!({"pattern": "(a{1000}){1000}"}), "size limit"),
            ("write_line", json!({"port": "/dev/a", "text": "x"}), "does not allow writing"),
            ("write_line", json!({"port": "/dev/x", "text": "x"}), "no port of this name"),
        ] {
            let fault = run_on(&shared, tool, arguments).await.unwrap_err();
            assert!(fault.contains(part), "{tool}: {fault}");
        }
        assert_eq!(run_on(&shared, "port_status", json!({"port": "/dev/a"})).await.unwrap().1["fault"], "busy");
    }

    #[tokio::test]
    async fn what_is_allowed_is_written() {
        let shared = Shared::default();
        let (port, other) = serial2::SerialPort::pair().unwrap();
        let rule = borg_config::SerialPort { write: true, ..borg_config::SerialPort::new("/dev/a") };
        shared.board.opened("/dev/a", &rule, Ok(std::sync::Arc::new(port)));
        let asked = json!({"port": "/dev/a", "text": "AT", "ending": "crlf"});
        assert_eq!(run_on(&shared, "write_line", asked).await.unwrap().1["written"], 4);
        let mut bytes = [0; 4];
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"AT\r\n");
        let two = json!({"port": "/dev/a", "text": "a\nb"});
        assert!(run_on(&shared, "write_line", two).await.unwrap_err().contains("one line"));
    }
}
