//! The reference server (npm `@modelcontextprotocol/server-filesystem`) and this one get the same calls.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Client, ours};

const REFERENCE: &str = "@modelcontextprotocol/server-filesystem@2026.8.31";
const PROGRAM: &str = "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js";

/// The server's program and a Node that runs it, or why there is none.
fn install(folder: &Path) -> Result<(PathBuf, PathBuf), String> {
    let major = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().strip_prefix('v')?.split('.').next()?.parse::<u32>().ok()
    };
    let mut packages = vec![REFERENCE];
    let mut node = PathBuf::from("node");
    if major("node").is_none_or(|major| major < 20) {
        packages.push("node@24");
        node = folder.join("node_modules/node/bin/node");
    }
    let npm = Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder)
        .args(&packages)
        .status()
        .map_err(|e| format!("npm: {e}"))?;
    assert!(npm.success(), "npm install {packages:?}");
    Ok((node, folder.join(PROGRAM)))
}

fn fill(folder: &Path) {
    for path in ["a/b/empty", "node_modules/x", ".hidden"] {
        std::fs::create_dir_all(folder.join(path)).unwrap();
    }
    let files = [
        ("note.txt", "one\ntwo\nthree\nfour\n"),
        ("open.txt", "one\ntwo"),
        ("dos.txt", "one\r\ntwo\r\nthree\r\n"),
        ("empty.txt", ""),
        ("Große Datei {1}.txt", "ä`´€ \"quoted\" \\ \t\n"),
        ("a/code.rs", "fn main() {\n    if a {\n        b();\n    }\n}\n"),
        ("a/b/deep.rs", "x\n"),
        ("node_modules/x/y.js", "y\n"),
        (".hidden/z.rs", "z\n"),
        ("picture.png", "no picture"),
        ("sound.mp3", "no sound"),
        ("data.bin", "no data"),
        ("lines.txt", &(0..3000).fold(String::new(), |text, n| format!("{text}line {n}\n"))),
        ("large.txt", &"x".repeat(300_000)),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("latin.txt"), b"a\xe4\xff\xf0\x9f b").unwrap();
    symlink("note.txt", folder.join("link")).unwrap();
    symlink("a", folder.join("linked-folder")).unwrap();
    symlink(folder.join("note.txt"), folder.join("a/absolute")).unwrap();
}

fn edit(path: &str, edits: &[(&str, &str)], dry: bool) -> (&'static str, Value) {
    let edits: Vec<Value> = edits.iter().map(|(old, new)| json!({"oldText": old, "newText": new})).collect();
    ("edit_file", json!({"path": path, "edits": edits, "dryRun": dry}))
}

/// In this order: what one changes, a later one reads.
fn calls(shared: &Path) -> Vec<(&'static str, Value)> {
    let mut calls = vec![("list_allowed_directories", json!({}))];
    let files = [
        "note.txt",
        "open.txt",
        "dos.txt",
        "empty.txt",
        "Große Datei {1}.txt",
        "latin.txt",
        "link",
        "a/../note.txt",
        "large.txt",
    ];
    for path in files {
        calls.push(("read_text_file", json!({"path": path})));
        for count in [1, 2, 4, 5, 100, 0] {
            calls.push(("read_file", json!({"path": path, "head": count})));
            calls.push(("read_text_file", json!({"path": path, "tail": count})));
        }
        calls.push(("read_media_file", json!({"path": path})));
    }
    for path in ["picture.png", "sound.mp3", "data.bin"] {
        calls.push(("read_media_file", json!({"path": path})));
    }
    calls.push(("read_text_file", json!({"path": "lines.txt", "tail": 1234})));
    calls.push(("read_text_file", json!({"path": "lines.txt", "head": 1234})));
    calls.push(("read_multiple_files", json!({"paths": ["note.txt", "open.txt", "a/code.rs"]})));
    for path in [".", "a", "a/b/empty", "linked-folder"] {
        calls.push(("list_directory", json!({"path": path})));
        calls.push(("list_directory_with_sizes", json!({"path": path, "sortBy": "size"})));
        calls.push(("directory_tree", json!({"path": path})));
    }
    calls.push(("list_directory_with_sizes", json!({"path": "a"})));
    calls.push(("get_file_info", json!({"path": shared.join("stat")})));
    calls.push(("get_file_info", json!({"path": shared})));
    for pattern in [
        "*.txt",
        "**/*.rs",
        "**",
        "*",
        "a/**",
        "**/b",
        "!**/*.txt",
        "[ln]*",
        "*.{rs,txt}",
        "?ote.txt",
        "none",
        "#x",
        "**/empty",
    ] {
        calls.push(("search_files", json!({"path": ".", "pattern": pattern})));
        calls.push((
            "search_files",
            json!({"path": ".", "pattern": pattern, "excludePatterns": ["node_modules", "**/b/**"]}),
        ));
        calls.push(("search_files", json!({"path": "a", "pattern": "**/*", "excludePatterns": [pattern]})));
    }
    calls.extend(changes());
    calls.extend(faults(shared));
    calls
}

fn changes() -> Vec<(&'static str, Value)> {
    let mut calls = Vec::new();
    for dry in [true, false] {
        calls.push(edit("note.txt", &[("two", "zwei"), ("four\n", "four")], dry));
        calls.push(edit("a/code.rs", &[("if a {\n  b();\n}", "if c {\n    d();\n  e();\n};")], dry));
        calls.push(edit(
            "lines.txt",
            &[("line 7\n", ""), ("line 20\n", "new 20\nnew 21\n"), ("line 29\n", "x\n"), ("line 2999\n", "`````\n")],
            dry,
        ));
        calls.push(edit("open.txt", &[], dry));
        calls.push(edit("empty.txt", &[("", "text\n")], dry));
    }
    for (path, content) in [("new.txt", "new\n"), ("new.txt", "newer\n"), ("link", "through the link"), ("a/b/new", "")]
    {
        calls.push(("write_file", json!({"path": path, "content": content})));
    }
    for path in ["made/of/several", "made", "a"] {
        calls.push(("create_directory", json!({"path": path})));
    }
    for (source, destination) in [("new.txt", "made/moved.txt"), ("a/b", "made/b")] {
        calls.push(("move_file", json!({"source": source, "destination": destination})));
    }
    for path in ["note.txt", "a/code.rs", "lines.txt", "open.txt", "empty.txt", "made/moved.txt"] {
        calls.push(("read_text_file", json!({"path": path})));
    }
    calls.push(("directory_tree", json!({"path": ".", "excludePatterns": ["node_modules", "*.txt"]})));
    calls
}

fn faults(shared: &Path) -> Vec<(&'static str, Value)> {
    vec![
        ("read_text_file", json!({"path": "none"})),
        ("read_text_file", json!({"path": "a"})),
        ("read_text_file", json!({})),
        ("read_text_file", json!({"path": 1})),
        ("read_text_file", json!({"path": "note.txt", "head": 1, "tail": 1})),
        ("read_text_file", json!({"path": "/etc/passwd"})),
        ("read_text_file", json!({"path": "../x"})),
        ("read_text_file", json!({"path": shared.join("outside")})),
        ("read_text_file", json!({"path": "C:\\x"})),
        ("read_multiple_files", json!({"paths": []})),
        ("write_file", json!({"path": "none/x", "content": ""})),
        ("write_file", json!({"path": shared.join("outside"), "content": ""})),
        ("write_file", json!({"path": "x"})),
        ("move_file", json!({"source": "none", "destination": "x"})),
        ("move_file", json!({"source": "dos.txt", "destination": "note.txt"})),
        ("list_directory", json!({"path": "dos.txt"})),
        ("list_directory_with_sizes", json!({"path": ".", "sortBy": "other"})),
        ("edit_file", json!({"path": "dos.txt", "edits": [{"oldText": "none", "newText": ""}]})),
        ("no_such_tool", json!({})),
    ]
}

/// What is compared: all of a good answer, and of a fault that it is one. `/…/ROOT` is each server's own.
fn told(result: &Value, root: &Path) -> Value {
    if result["isError"] == true {
        assert_eq!(result["content"][0]["type"], "text");
        return json!({"isError": true, "blocks": result["content"].as_array().unwrap().len()});
    }
    let text = result.to_string().replace(root.to_str().unwrap(), "/ROOT");
    serde_json::from_str(&text).unwrap()
}

#[test]
#[ignore = "asks npm for the reference server"]
fn the_reference_server_answers_alike() {
    let folder = tempfile::tempdir().unwrap();
    let (node, program) = match install(folder.path()) {
        Ok(found) => found,
        Err(why) => {
            eprintln!("skipped: the reference server cannot be had without npm ({why})");
            return;
        }
    };
    let roots = ["reference", "ours", "shared"].map(|name| folder.path().join(name));
    for root in &roots {
        std::fs::create_dir(root).unwrap();
        fill(root);
    }
    let [theirs_root, ours_root, shared] = &roots;
    std::fs::write(shared.join("stat"), "12345").unwrap();
    // Not below "." of the calls: where the reference server tells the size of what lies outside, this one tells none.
    symlink("/etc/passwd", shared.join("outside")).unwrap();
    let mut command = Command::new(node);
    command.arg(program).args([theirs_root, shared]).env("TZ", "UTC");
    let mut theirs = Client::start(command);
    let mut ours = Client::start(ours(&[ours_root, shared]));

    let (their_tools, our_tools) = (theirs.ask("tools/list", json!({})), ours.ask("tools/list", json!({})));
    for tool in their_tools["tools"].as_array().unwrap() {
        let own = our_tools["tools"].as_array().unwrap().iter().find(|own| own["name"] == tool["name"]).unwrap();
        for key in ["title", "description", "inputSchema", "outputSchema", "annotations"] {
            assert_eq!(own[key], tool[key], "{key} of {}", tool["name"]);
        }
    }
    let mut different = Vec::new();
    for (tool, arguments) in calls(shared) {
        let their_answer = told(&theirs.call(tool, &arguments), theirs_root);
        let our_answer = told(&ours.call(tool, &arguments), ours_root);
        if their_answer != our_answer {
            different.push(format!("{tool} {arguments}\n reference: {their_answer}\n ours:      {our_answer}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
