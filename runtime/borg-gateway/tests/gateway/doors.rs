use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::bench::{Bench, TOKEN, post};

type Headers<'a> = &'a [(&'a str, &'a str)];

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

#[test]
fn the_address_asks_for_the_token_and_knows_its_names() {
    let bench = Bench::new().start(&["files"], true);
    let right = format!("Bearer {TOKEN}");
    let host = bench.address.clone();
    let cases: [(&str, Headers, u16); 8] = [
        (&host, &[("Authorization", &right)], 200),
        (&host, &[("Authorization", &right), ("Origin", "http://localhost:8080")], 200),
        (&host, &[], 401),
        (&host, &[("Authorization", "Bearer wrong")], 401),
        (&host, &[("Authorization", TOKEN)], 401),
        ("evil.example", &[("Authorization", &right)], 403),
        (&host, &[("Authorization", &right), ("Origin", "http://evil.example")], 403),
        (&host, &[("Authorization", &right), ("Origin", "null")], 403),
    ];
    for (host, headers, status) in cases {
        let (seen, body) = bench.tcp(&post(host, headers, LIST));
        assert_eq!(seen, status, "{host} {headers:?}: {body}");
    }
    let in_url = post(&host, &[], LIST).replace("/mcp", &format!("/mcp?token={TOKEN}"));
    assert_eq!(bench.tcp(&in_url).0, 401);
    // The report is behind the same door, health is not.
    assert_eq!(bench.tcp("GET /plugins HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").0, 401);
    let health = bench.tcp("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(health, (200, "ok".into()));
}

#[test]
fn a_foreign_page_is_refused_at_the_socket_too() {
    let bench = Bench::new().start(&["files"], true);
    for (host, headers) in [("evil.example", vec![]), ("localhost", vec![("Origin", "http://evil.example")])] {
        let stream = std::os::unix::net::UnixStream::connect(bench.path("mcp.sock")).unwrap();
        assert_eq!(crate::bench::send(stream, &post(host, &headers, LIST)).0, 403);
    }
}

#[test]
fn another_user_is_refused_at_the_socket() {
    // Only root can be another.
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let bench = Bench::new().start(&["files"], true);
    std::fs::set_permissions(bench.folder.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(bench.path("mcp.sock"), Permissions::from_mode(0o666)).unwrap();
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  s.sendall(sys.argv[2].encode())\nprint(s.recv(65536).decode())";
    let mut python = Command::new("python3");
    python
        .uid(65534)
        .args(["-c", script])
        .arg(bench.path("mcp.sock"))
        .arg(post("localhost", &[], LIST))
        .current_dir("/");
    let output = python.output().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("read"), "{answer} {output:?}");
}
