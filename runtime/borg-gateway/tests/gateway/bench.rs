//! A gateway with all that is around it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{Events, host};
use crate::server::{result, serve};

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub struct Bench {
    pub folder: TempDir,
    pub events: Events,
    running: Option<(Child, BufReader<ChildStderr>)>,
    pub address: String,
}

/// What the pretended server `files` answers.
fn files(path: &str, question: &Value) -> (u16, Value) {
    if path == "/healthz" {
        return (200, "ok".into());
    }
    if question["method"] == "tools/list" {
        return result(question, json!({ "tools": [tool("read"), tool("refuse")] }));
    }
    let params = &question["params"];
    match question["method"].as_str() {
        Some("resources/list") => {
            return result(question, json!({ "resources": [{ "uri": "file:///srv", "name": "srv" }] }));
        }
        Some("resources/templates/list") => {
            let template = json!({ "uriTemplate": "file://{+path}", "name": "file" });
            return result(question, json!({ "resourceTemplates": [template] }));
        }
        Some("resources/read") => {
            let content = json!({ "uri": params["uri"], "text": "what is there" });
            return result(question, json!({ "contents": [content] }));
        }
        _ => {}
    }
    if params["name"] == "refuse" {
        let error = json!({ "code": -32602, "message": "not that" });
        return (200, json!({ "jsonrpc": "2.0", "id": question["id"], "error": error }));
    }
    let text = format!("files {} {}", params["name"], params["arguments"]);
    result(question, json!({ "content": [{ "type": "text", "text": text }], "structuredContent": { "n": 1 } }))
}

impl Bench {
    /// All that is around a gateway. The server `files` runs, `serial` does not.
    pub fn new() -> Self {
        let bench = Bench::bare();
        serve(&bench.path("files.sock"), files);
        bench
    }

    /// With no server running.
    pub fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["plugins", "log"] {
            fs::create_dir(path(name)).unwrap();
        }
        let events = host(&path("host.sock"), &path("plugins"));
        fs::write(path("token"), TOKEN).unwrap();
        // It would be complained about.
        fs::set_permissions(path("token"), PermissionsExt::from_mode(0o600)).unwrap();
        fs::write(path("plugins.json"), json!({ "folder": path("plugins") }).to_string()).unwrap();
        Bench { folder, events, running: None, address: String::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn plugin(&self, name: &str, script: &str) {
        fs::write(self.path("plugins").join(format!("{name}.py")), script).unwrap();
    }

    pub fn configure(&self, servers: &[&str], audit: bool) -> PathBuf {
        let server = |name: &&str| json!({ "name": name, "socket": self.path(&format!("{name}.sock")) });
        let plugins = json!({ "host": self.path("host.sock"), "network": self.path("net.sock"), "config": self.path("plugins.json") });
        let listen =
            json!({ "address": "127.0.0.1:0", "token_file": self.path("token"), "socket": self.path("mcp.sock") });
        let audit = audit.then(|| json!({ "folder": self.path("log"), "max_size": 100_000, "keep": 1 }));
        let servers: Vec<Value> = servers.iter().map(server).collect();
        let config = json!({ "listen": listen, "servers": servers, "plugins": plugins, "audit": audit });
        fs::write(self.path("gateway.json"), config.to_string()).unwrap();
        self.path("gateway.json")
    }

    /// Starts it and waits until it says where it listens.
    pub fn start(mut self, servers: &[&str], audit: bool) -> Self {
        let config = self.configure(servers, audit);
        let mut child = program().arg("--config").arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        for _ in 0..2 {
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            if let Some((_, rest)) = line.split_once("http://") {
                rest.trim().strip_suffix("/mcp").unwrap().clone_into(&mut self.address);
            }
        }
        self.running = Some((child, said));
        self
    }

    /// The next line on standard error.
    pub fn said(&mut self) -> String {
        let mut line = String::new();
        self.running.as_mut().unwrap().1.read_line(&mut line).unwrap();
        line
    }

    /// Asks at the socket.
    pub fn ask(&self, method: &str, params: Value) -> Value {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let stream = UnixStream::connect(self.path("mcp.sock")).unwrap();
        let (status, body) = send(stream, &post("localhost", &[], &question));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub fn call(&self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// The text of a tool's answer, or of its fault.
    pub fn text(&self, tool: &str, arguments: Value) -> String {
        let answer = self.call(tool, arguments);
        answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// The names of all tools.
    pub fn names(&self) -> Vec<String> {
        let answer = self.ask("tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let stream = UnixStream::connect(self.path("mcp.sock")).unwrap();
        send(stream, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// Sends a request as it is over TCP.
    pub fn tcp(&self, request: &str) -> (u16, String) {
        send(TcpStream::connect(&self.address).unwrap(), request)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.running.as_ref().unwrap().0.id()
    }

    /// The lines of the audit log.
    pub fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("log").join("audit.log")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the audit log says of calls when they begin, and when they end.
    pub fn begun_and_ended(&self) -> (Vec<Value>, Vec<Value>) {
        self.audit().into_iter().partition(|line| line["event"] == "begin")
    }

    /// Begins a call at the socket; whoever drops this leaves.
    pub fn begin(&self, tool: &str) -> UnixStream {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } });
        let mut stream = UnixStream::connect(self.path("mcp.sock")).unwrap();
        stream.write_all(post("localhost", &[], &call.to_string()).as_bytes()).unwrap();
        stream
    }

    /// Waits until the last line of the audit log says so.
    pub fn wait_for_end(&self, error: &str) {
        let begin = Instant::now();
        while self.begun_and_ended().1.last().is_none_or(|line| line["error"] != error) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", self.audit());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it by a signal.
    pub fn signal(&mut self, signal: Signal) {
        let (child, _) = self.running.as_mut().unwrap();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_borg-gateway"))
}

/// A request with a body.
pub fn post(host: &str, headers: &[(&str, &str)], body: &str) -> String {
    let more = headers.iter().fold(String::new(), |more, (name, value)| more + name + ": " + value + "\r\n");
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-06-18\r\nConnection: close\r\n{more}\r\n{body}",
        body.len()
    )
}

/// Sends a request and gives the status and the body of its answer.
pub fn send(mut stream: impl Read + Write, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A tool as lists have it.
pub fn tool(name: &str) -> Value {
    json!({ "name": name, "description": "Of a server.", "inputSchema": { "type": "object" }, "annotations": { "readOnlyHint": true } })
}
