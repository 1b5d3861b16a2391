//! What is asked: calls that would be right, with something in them that is not.

use std::path::Path;

use axum::Router;
use serde_json::{Map, Value, json};

use super::Dice;
use super::ground::Ground;

/// Every tool, with the arguments that it takes.
const TOOLS: [(&str, &[&str]); 18] = [
    ("read_file", &["path", "head", "tail"]),
    ("read_text_file", &["path", "head", "tail"]),
    ("read_media_file", &["path"]),
    ("read_byte_range", &["path", "offset", "length"]),
    ("read_multiple_files", &["paths"]),
    ("list_directory", &["path"]),
    ("list_directory_with_sizes", &["path", "sortBy"]),
    ("directory_tree", &["path", "excludePatterns"]),
    ("search_files", &["path", "pattern", "excludePatterns"]),
    ("search_content", &["path", "pattern", "literal", "ignoreCase", "include", "excludePatterns", "maxResults"]),
    ("get_file_info", &["path"]),
    ("list_allowed_directories", &[]),
    ("write_file", &["path", "content"]),
    ("append_file", &["path", "content"]),
    ("edit_file", &["path", "edits", "dryRun"]),
    ("create_directory", &["path"]),
    ("move_file", &["source", "destination"]),
    ("trash_file", &["path"]),
];

/// Of which paths are made.
const PARTS: [&str; 38] = [
    "file",
    "folder",
    "deep",
    "deeper",
    "binary",
    "odd\\xff\\x0a",
    "sparse",
    "pipe",
    "socket",
    "out",
    "out-file",
    "up",
    "up-file",
    "loop",
    "proc",
    "in",
    "in-absolute",
    "outside",
    "root",
    "..",
    "..",
    "..",
    ".",
    "",
    "~",
    "new",
    "a b",
    "%2e%2e",
    "\\x2e\\x2e",
    "\\x2f",
    "..\u{2215}",
    "．．",
    "...",
    "C:",
    "\u{0}",
    "\n",
    "\u{202e}",
    "file:",
];

const PATTERNS: [&str; 20] = [
    "*",
    "**",
    "**/*",
    "../*",
    "/**",
    "!**",
    "#",
    "[",
    "[a-",
    "{a,b}",
    "{",
    "a{1000}",
    "(a|b)*c",
    "(((((((((",
    "\\",
    "(?i)x",
    ".*.*.*.*x",
    "[^\\n]*",
    "\\p{L}{50}",
    "one|two",
];

pub struct Calls {
    dice: Dice,
    pub app: Option<Router>,
}

impl Calls {
    pub fn new(dice: Dice) -> Self {
        Calls { dice, app: None }
    }

    /// The next request's bytes.
    pub fn next(&mut self, ground: &Ground) -> Vec<u8> {
        let (method, params) = match self.dice.below(12) {
            0 => ("resources/read", json!({"uri": self.uri(ground)})),
            1 => (*self.dice.pick(&["resources/subscribe", "tools/list", "resources/list", "ping", ""]), self.junk(3)),
            _ => ("tools/call", self.call(ground)),
        };
        let id = if self.dice.one_in(20) { self.junk(1) } else { 1.into() };
        let call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut bytes = call.to_string().into_bytes();
        if self.dice.one_in(8) {
            self.spoil(&mut bytes);
        }
        bytes
    }

    fn call(&mut self, ground: &Ground) -> Value {
        let (tool, names) = *self.dice.pick(&TOOLS);
        let mut arguments = Map::new();
        for name in names {
            if !self.dice.one_in(6) {
                arguments.insert((*name).to_owned(), self.argument(name, ground));
            }
        }
        let mut name = tool.to_owned();
        if self.dice.one_in(30) {
            let part = *self.dice.pick(&PARTS);
            name.push_str(part);
        }
        json!({"name": name, "arguments": arguments})
    }

    fn argument(&mut self, name: &str, ground: &Ground) -> Value {
        if self.dice.one_in(15) {
            return self.junk(4);
        }
        match name {
            "path" | "source" | "destination" => self.path(ground).into(),
            "paths" => (0..self.dice.below(4)).map(|_| Value::from(self.path(ground))).collect(),
            "pattern" => (*self.dice.pick(&PATTERNS)).into(),
            "excludePatterns" | "include" => {
                (0..self.dice.below(3)).map(|_| Value::from(*self.dice.pick(&PATTERNS))).collect()
            }
            "head" | "tail" | "offset" | "length" | "maxResults" => self.number(),
            "edits" => json!([{"oldText": self.text(), "newText": self.text()}]),
            "literal" | "ignoreCase" | "dryRun" => self.dice.one_in(2).into(),
            _ => self.text().into(),
        }
    }

    fn path(&mut self, ground: &Ground) -> String {
        let start = |path: &Path| path.to_str().unwrap().to_owned();
        let mut path = match self.dice.below(8) {
            0 => start(&ground.root()),
            1 => start(&ground.outside()),
            2 => {
                (*self.dice.pick(&["/", "//", "/etc/passwd", "/proc/self/environ", "/dev/zero", "~/", "./"])).to_owned()
            }
            _ => String::new(),
        };
        for _ in 0..self.dice.below(6) {
            if !path.is_empty() {
                path.push('/');
            }
            let part = *self.dice.pick(&PARTS);
            path.push_str(part);
        }
        if self.dice.one_in(40) {
            let part = self.dice.pick(&["a", "../", "folder/../", "in/"]);
            path.push_str(&part.repeat(1 + self.dice.below(3000)));
        }
        path
    }

    fn uri(&mut self, ground: &Ground) -> String {
        let path = self.path(ground);
        let start =
            self.dice.pick(&["file://", "file://", "file:///", "file://localhost", "file://other", "http://x", ""]);
        let path = if self.dice.one_in(2) { path.replace('.', "%2E").replace(' ', "%20") } else { path };
        format!("{start}{path}")
    }

    fn text(&mut self) -> String {
        match self.dice.below(4) {
            0 => String::new(),
            1 => (*self.dice.pick(&["one", "\n", "two\nthree", "\r\n", "\u{0}"])).to_owned(),
            2 => (*self.dice.pick(&PARTS)).repeat(self.dice.below(20_000)),
            _ => (0..self.dice.below(40))
                .filter_map(|_| char::from_u32(u32::try_from(self.dice.below(0x3000)).unwrap()))
                .collect(),
        }
    }

    fn number(&mut self) -> Value {
        match self.dice.below(5) {
            0 => json!(self.dice.roll()),
            1 => json!(-i64::try_from(self.dice.roll() >> 32).unwrap()),
            2 => json!([0.5, 1e300, -0.0, 3.0, 1e-300][self.dice.below(5)]),
            3 => json!([0_u64, 1, u64::MAX, 1 << 53, 1 << 40][self.dice.below(5)]),
            _ => json!(self.dice.below(5000)),
        }
    }

    /// Anything at all.
    fn junk(&mut self, depth: usize) -> Value {
        match self.dice.below(if depth == 0 { 4 } else { 7 }) {
            0 => Value::Null,
            1 => self.dice.one_in(2).into(),
            2 => self.number(),
            3 => self.text().into(),
            4 => (0..self.dice.below(4)).map(|_| self.junk(depth - 1)).collect(),
            5 => (0..self.dice.below(4)).map(|_| (self.text(), self.junk(depth - 1))).collect::<Map<_, _>>().into(),
            _ => (0..self.dice.below(150)).fold(Value::Null, |inside, _| json!([inside])),
        }
    }

    /// Changes some bytes of a message.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.dice.below(4) {
            let at = self.dice.below(bytes.len());
            match self.dice.below(3) {
                0 => bytes[at] = self.dice.roll().to_le_bytes()[0],
                1 => bytes.insert(at, *self.dice.pick(b"\"\\{}[],:0\xff\x00")),
                _ => bytes.truncate(bytes.len() - at.min(3)),
            }
        }
    }
}
