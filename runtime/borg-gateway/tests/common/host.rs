//! A plugin host that runs nothing: what lies in the plugins' folder says how it should behave.
//!
//! `tools a b` has these tools, of which some are special by name; `lazy a b`, too, and takes a second to start; `many COUNT BYTES` has so many with descriptions
//! that long; `broken TEXT`, `garbage` and `mute` have none.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What happened, in order: `start NAME`, `list NAME`, `cancelled NAME`, `end NAME`.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<String>>>);

impl Events {
    fn add(&self, event: String) {
        self.0.lock().unwrap().push(event);
    }

    pub fn count(&self, event: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|other| *other == event).count()
    }

    /// Waits until an event has come so often.
    pub fn wait(&self, event: &str, times: usize) {
        let begin = Instant::now();
        while self.count(event) < times {
            assert!(begin.elapsed() < Duration::from_secs(20), "no {event}: {:?}", self.0.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Listens at `socket` for as long as the test runs.
pub fn host(socket: &Path, plugins: &Path) -> Events {
    let listener = UnixListener::bind(socket).unwrap();
    let (events, own) = (Events::default(), plugins.to_owned());
    let told = events.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, plugins, events) = (stream.unwrap(), own.clone(), told.clone());
            std::thread::spawn(move || run(stream, plugins, &events));
        }
    });
    events
}

fn run(stream: UnixStream, plugins: PathBuf, events: &Events) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let name = first["run"]["name"].as_str().unwrap().to_owned();
    events.add(format!("start {name}"));
    let script = fs::read_to_string(plugins.join(format!("{name}.py"))).unwrap();
    let mut plugin = Plugin { name: &name, script: script.trim(), out: stream, events, sulks: false };
    // A client that hangs up is how most of these end.
    let _ = lines.map_while(Result::ok).try_for_each(|line| plugin.hear(&line));
    events.add(format!("end {name}"));
}

struct Plugin<'a> {
    name: &'a str,
    script: &'a str,
    out: UnixStream,
    events: &'a Events,
    /// It names its tools no more.
    sulks: bool,
}

impl Plugin<'_> {
    fn say(&mut self, message: &Value) -> std::io::Result<()> {
        writeln!(self.out, "{message}")
    }

    fn answer(&mut self, id: &Value, result: Value) -> std::io::Result<()> {
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }

    fn hear(&mut self, line: &str) -> std::io::Result<()> {
        let message: Value = serde_json::from_str(line).unwrap();
        if message["method"] == "tools/list" {
            self.events.add(format!("list {}", self.name));
        }
        let (word, rest) = self.script.split_once(' ').unwrap_or((self.script, ""));
        match (word, message["method"].as_str().unwrap_or_default()) {
            (_, "notifications/cancelled") => self.events.add(format!("cancelled {}", self.name)),
            (_, "tools/list") if self.sulks => {}
            ("mute", _) | (_, "notifications/initialized") => {}
            ("broken", _) => {
                self.say(&json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": rest } }))?;
                return Err(std::io::ErrorKind::Other.into());
            }
            ("garbage", _) => writeln!(self.out, "Hello, I am no JSON")?,
            (_, "initialize") => {
                if word == "lazy" {
                    std::thread::sleep(Duration::from_millis(1100));
                }
                let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {} });
                self.answer(&message["id"], hello)?;
            }
            ("many", "tools/list") => {
                let (count, bytes) = rest.split_once(' ').unwrap();
                let (count, text): (usize, _) = (count.parse().unwrap(), "x".repeat(bytes.parse().unwrap()));
                let tool = |n| json!({ "name": format!("t{n}"), "description": text, "inputSchema": {} });
                let tools: Vec<Value> = (0..count).map(tool).collect();
                self.answer(&message["id"], json!({ "tools": tools }))?;
            }
            (_, "tools/list") => {
                let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
                let tool = |name| json!({ "name": name, "description": "Of a plugin.", "inputSchema": schema });
                let tools: Vec<Value> = rest.split_whitespace().map(tool).collect();
                self.answer(&message["id"], json!({ "tools": tools }))?;
            }
            (_, "tools/call") => self.call(&message)?,
            // It answers nothing after `hang`, as one does that is in an endless loop.
            (_, "ping") if !self.script.contains("hang") => self.answer(&message["id"], json!({}))?,
            _ => {}
        }
        Ok(())
    }

    fn call(&mut self, message: &Value) -> std::io::Result<()> {
        let (id, params) = (&message["id"], &message["params"]);
        match params["name"].as_str().unwrap() {
            "hang" => return Ok(()),
            "die" => return Err(std::io::ErrorKind::Other.into()),
            // 10 GB, or until nobody wants more.
            "flood" => {
                let part = vec![b'x'; 1 << 20];
                (0..10_000).try_for_each(|_| self.out.write_all(&part))?;
            }
            "chatter" => {
                let note =
                    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": "x".repeat(1 << 16) });
                (0..200_000).try_for_each(|_| self.say(&note))?;
            }
            "fickle" | "sulk" => {
                self.sulks = params["name"] == "sulk";
                let note = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
                (0..100).try_for_each(|_| self.say(&note))?;
            }
            "slow" => {
                let token = &params["_meta"]["progressToken"];
                let note = json!({ "progressToken": token, "progress": 1, "total": 2, "message": "half" });
                self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": note }))?;
            }
            _ => {}
        }
        let text = format!("{} {} {}", self.name, params["name"], params["arguments"]);
        self.answer(id, json!({ "content": [{ "type": "text", "text": text }] }))
    }
}
