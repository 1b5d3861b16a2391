//! Clients of MCP that were not written here, against the services of a booted image.

use std::fs;
use std::path::Path;
use std::process::Command;

use borg_tests::Bench;
use borg_tests::console::Console;

/// The Python SDK's client and the Inspector, through nginx and the gateway at this port of the host. The person at the console
/// may read the token.
pub fn through_the_gateway(bench: &Bench, console: &mut Console, port: u16) {
    let keep = |console: &mut Console, from: &str, name: &str| {
        let path = bench.folder.join(name);
        fs::write(&path, console.run(&format!("cat {from}"))).unwrap();
        path
    };
    let certificate = keep(console, "/var/lib/borg/nginx/certificate.pem", "device.pem");
    let token = keep(console, "/var/lib/borg/gateway.token", "device.token");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/clients");
    let url = format!("https://127.0.0.1:{port}/mcp");
    let ran = Command::new(script).arg(url).args([&token, &certificate]).output().unwrap();
    fs::remove_file(token).unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    let seen = "[\"2025-11-25\", \"2026-07-28\"]\nthe Inspector: 4 calls\n";
    assert!(ran.status.success() && said == seen, "{said}");
}

/// As the reference file server's manual has it: a client starts the program with folders as its arguments.
pub fn as_the_reference_server(console: &mut Console) {
    let message = |id: u32, method: &str, params: &str| {
        format!(r#"'{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}'"#)
    };
    let greeting =
        r#"{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"claude-desktop","version":"1"}}"#;
    let write = r#"{"name":"write_file","arguments":{"path":"one/note.txt","content":"from a desktop"}}"#;
    let read = r#"{"name":"read_text_file","arguments":{"path":"two/note.txt"}}"#;
    let folders = "mkdir -p one two; echo 'of two' >two/note.txt; rm -f one/note.txt";
    console.run(folders);
    let words = [
        message(1, "initialize", greeting),
        r#"'{"jsonrpc":"2.0","method":"notifications/initialized"}'"#.to_owned(),
        message(2, "tools/list", "{}"),
        message(3, "tools/call", &write.replace("one/", "/home/op/one/")),
        message(4, "tools/call", &read.replace("two/", "/home/op/two/")),
    ];
    for (number, word) in words.iter().enumerate() {
        console.run(&format!("echo {word} >>calls-{}", number.min(9)));
    }
    let said = console.run_within("cat calls-* | borg-mcp-fs ~/one ~/two; cat one/note.txt", 120);
    for part in [r#""name":"list_allowed_directories""#, "Successfully wrote to", "of two", "\nfrom a desktop"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}
