//! A client that starts a service and speaks to it on standard input and output.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

/// The service is killed when this is dropped.
#[derive(Debug)]
pub struct Client {
    child: Child,
    /// None once the client has left.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
    /// What the service said of itself.
    pub hello: Value,
}

impl Client {
    /// Starts the service, and greets it.
    ///
    /// # Panics
    /// When it does not start or does not greet.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut client = Client { child, input, output, asked: 0, hello: Value::Null };
        let info = json!({ "name": "test", "version": "1" });
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info });
        client.hello = client.ask("initialize", &hello);
        client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    /// # Panics
    /// When the service does not read.
    pub fn say(&mut self, message: &Value) {
        writeln!(self.input.as_ref().unwrap(), "{message}").unwrap();
    }

    /// Reads until a message is such.
    ///
    /// # Panics
    /// When the service ends before, or says what is no JSON.
    pub fn hear(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message: Value = serde_json::from_str(&self.output.next().unwrap().unwrap()).unwrap();
            if is_it(&message) {
                return message;
            }
        }
    }

    /// Sends a request and does not wait; answers with its number.
    pub fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.asked += 1;
        self.say(&json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params }));
        self.asked
    }

    /// Sends a request; answers with its result.
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.hear(|message| message["id"] == id)["result"].clone()
    }

    pub fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }))
    }

    /// Closes its side, and waits for the service to end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn leave(mut self) -> ExitStatus {
        self.input = None;
        self.child.wait().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
