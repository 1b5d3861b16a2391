//! Mirrors that fail or lie: the next one is asked, and the log says why.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use borg_tests::Ran;
use borg_tests::real::{bench, build, edge_iot};

use super::faults::{borrowed, locked, objects};

/// The mirror that an honest answer comes from.
const HONEST: &str = "http://deb.debian.org";

#[derive(Clone)]
enum Answer {
    Status(u16),
    Bytes(Vec<u8>),
}

/// A mirror on the loopback: what is not in `answers`, by a part of its path, is sent on to an honest one.
fn mirror(answers: &[(&str, Answer)]) -> String {
    let answers: HashMap<String, Answer> = answers.iter().map(|(path, a)| ((*path).to_owned(), a.clone())).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/debian", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who asks may go away; that is no fault of the mirror's.
            let _ = answer(stream, &answers);
        }
    });
    address
}

fn answer(mut stream: TcpStream, answers: &HashMap<String, Answer>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    let known = answers.iter().find(|(part, _)| path.contains(part.as_str())).map(|(_, answer)| answer);
    match known {
        Some(Answer::Status(code)) => {
            write!(stream, "HTTP/1.1 {code} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        Some(Answer::Bytes(bytes)) => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len())?;
            stream.write_all(bytes)
        }
        None => {
            let head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n";
            write!(stream, "{head}Location: {HONEST}{path}\r\n\r\n")
        }
    }
}

/// An index as an honest mirror serves it now.
fn index(suite: &str) -> Vec<u8> {
    let url = format!("{HONEST}/debian/dists/{suite}/InRelease");
    let authority = HONEST.trim_start_matches("http://");
    let mut stream = TcpStream::connect((authority, 80)).unwrap();
    write!(stream, "GET {url} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    assert!(reader.read_line(&mut line).unwrap() > 0 && line.contains(" 200 "), "{url}: {line}");
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
    bytes
}

/// Locks a profile whose first mirror is this one.
fn lock_from(answers: &[(&str, Answer)]) -> Ran {
    let bench = bench();
    let address = mirror(answers);
    let profile = bench.profile("mirrors", &edge_iot("mirrors", &format!("mirrors: [\"{address}\"]\n")));
    let _ = fs::remove_file(profile.with_extension("lock"));
    let ran = bench.run(&["lock", "--profile", profile.to_str().unwrap()]);
    let _ = fs::remove_file(profile.with_extension("lock"));
    ran
}

#[test]
#[ignore = "asks Debian's mirrors: ./.ci/test runs it"]
fn a_mirror_that_has_nothing_is_passed_over() {
    for code in [404, 503] {
        let ran = lock_from(&[("/debian", Answer::Status(code))]).exits(0);
        let _ = ran.says(&format!("answers {code} for dists/trixie")).says("/InRelease; asking ").says("127.0.0.1");
    }
}

#[test]
#[ignore = "asks Debian's mirrors: ./.ci/test runs it"]
fn an_index_that_is_not_to_be_believed_is_passed_over() {
    let honest = index("trixie");
    let text = String::from_utf8(honest).unwrap();
    let altered = text.replacen("Origin: Debian", "Origin: Delian", 1);
    assert_ne!(text, altered);
    let unsigned = text.split("-----BEGIN PGP SIGNATURE").next().unwrap().to_owned();
    let portal = "<html>Please log in to this wireless network</html>".to_owned();
    let other = String::from_utf8(index("bookworm")).unwrap();
    for (what, bytes) in [("altered", altered), ("unsigned", unsigned), ("a portal", portal), ("another suite", other)]
    {
        let ran = lock_from(&[("dists/trixie/InRelease", Answer::Bytes(bytes.into_bytes()))]).exits(0);
        let warned = ran.stderr.lines().any(|l| l.contains("mirror  http://127.0.0.1") && l.contains("; asking "));
        assert!(warned, "{what}:\n{}", ran.stderr);
    }
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn an_older_index_than_the_one_seen_is_refused() {
    let bench = bench();
    let store = borrowed(&bench);
    let record = store.store.join("records/suite/debian-trixie.json");
    let seen: String = fs::read_to_string(&record).unwrap();
    assert!(seen.contains("date"), "{seen}");
    fs::remove_file(&record).unwrap();
    // Seen in 2100.
    fs::write(&record, "{\"date\":4102444800}").unwrap();
    let profile = store.profile("replayed", &edge_iot("replayed", ""));
    let _ = fs::remove_file(profile.with_extension("lock"));
    let ran = store.run(&["lock", "--profile", profile.to_str().unwrap()]).exits(4);
    assert!(ran.stderr.contains("no mirror serves a valid index of trixie"), "{}", ran.stderr);
    assert!(!profile.with_extension("lock").exists());
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_package_with_other_bytes_is_fetched_elsewhere() {
    let bench = bench();
    let address = mirror(&[("/nginx-common_", Answer::Bytes(vec![b'x'; 400_000]))]);
    let profile = bench.profile("corrupt", &edge_iot("corrupt", &format!("mirrors: [\"{address}\"]\n")));
    build(&bench, &profile, &["--fast"]).exits(0);
    let lock = fs::read_to_string(profile.with_extension("lock")).unwrap();
    let digest = locked(&lock, "nginx-common");
    let mended = borrowed(&bench);
    // Only what is to be made takes packages.
    mended.run(&["clean", "--layers"]).exits(0);
    let object = objects(&mended.store, &digest);
    fs::remove_file(&object).unwrap();
    let ran = build(&mended, &profile, &["--fast"]).exits(0);
    let _ = ran.says("serves other bytes than the signed ones for").says("; asking ");
    assert_eq!(borg_tests::sha256(Path::new(&object)), digest);
}
