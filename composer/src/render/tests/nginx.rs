//! nginx takes its configuration and its certificate, and lets through to the tools what it should.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use ureq::tls::TlsConfig;

use super::super::INCLUDES;
use super::contracts::run;
use super::site::{Running, Site};
use super::*;

fn with(mut spec: ImageSpec, service: &str, options: &[(&str, serde_json::Value)]) -> ImageSpec {
    for service in spec.services.iter_mut().filter(|one| one.name == service) {
        service.options.extend(options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    spec
}

#[test]
fn nginx_takes_its_configuration() {
    Site::new(&test_spec()).check();
    let odd = [("server_name", "it's; \"quoted\" \\ n".into()), ("root", "/srv/with space; }".into())];
    Site::new(&with(test_spec(), "nginx", &odd)).check();
    for name in ["*.example.org", "default", "nginx", "LOCALHOST"] {
        Site::new(&with(test_spec(), "nginx", &[("server_name", name.into())])).check();
    }
    let plain = Site::new(&with(test_spec(), "nginx", &[("https_port", serde_json::Value::Null)]));
    plain.check();
    assert!(!fs::read_to_string(plain.config()).unwrap().contains("/mcp"), "tools without TLS");
    let mut alone = test_spec();
    alone.services.retain(|service| service.name != "gateway");
    let alone = Site::new(&alone);
    alone.check();
    assert!(!fs::read_to_string(alone.config()).unwrap().contains("/mcp"), "a way to tools that are not there");
}

#[test]
fn the_certificate_has_the_names_of_the_device_and_its_key_is_root_s_alone() {
    let site = Site::new(&with(test_spec(), "nginx", &[("server_name", "*.example.org".into())]));
    let place = |name: &str| site.state().join(name);
    let mode = |name: &str| fs::metadata(place(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("key.pem"), mode("certificate.pem")), (0o600, 0o644));
    assert_eq!(fs::read_dir(site.state()).unwrap().count(), 2, "something half-made was left");
    let text = run("openssl", &["x509", "-noout", "-text", "-in", place("certificate.pem").to_str().unwrap()]);
    let text = String::from_utf8(text.stdout).unwrap();
    let names = "DNS:bench, DNS:localhost, DNS:*.example.org, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1";
    for part in [names, "NIST CURVE: P-256", "CA:FALSE", "TLS Web Server Authentication", "Subject: CN = bench"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn a_certificate_of_the_profile_s_takes_the_place_of_the_device_s_own() {
    let given = [("certificate", "/etc/ssl/a.pem".into()), ("certificate_key", "/etc/ssl/a.key".into())];
    let tree = render(&with(test_spec(), "nginx", &given));
    let unit = format!("{INCLUDES}/etc/systemd/system/borg-nginx-certificate.service");
    assert!(tree.get(&unit).is_none());
    let config = text(&tree, &format!("{INCLUDES}/etc/nginx/nginx.conf"));
    assert!(
        config.contains("ssl_certificate_key \"/etc/ssl/a.key\";") && !config.contains("/var/lib/borg"),
        "{config}"
    );
}

/// A request up to its body, which is read too: closing before that would reset the connection.
fn head(stream: &mut TcpStream) -> Vec<u8> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|got| got == 1) {
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let _ = std::io::copy(&mut stream.take(length.unwrap_or(0)), &mut std::io::sink());
    head
}

/// Stands for the gateway: answers with what it was asked.
fn gateway() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head = head(&mut stream);
            // Who asks may go away.
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", head.len());
            let _ = stream.write_all(&head);
        }
    });
    port
}

/// Status, `Location` and body.
fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, String) {
    let tls = TlsConfig::builder().disable_verification(true).build();
    let agent = ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).max_redirects(0);
    let agent: ureq::Agent = agent.max_redirects_will_error(false).build().into();
    let request = headers.iter().fold(agent.post(url), |request, (name, value)| request.header(*name, *value));
    let mut answer = request.send(body).unwrap();
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location.unwrap_or_default(), answer.body_mut().read_to_string().unwrap())
}

#[test]
fn only_who_may_reaches_the_tools() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = gateway();
    let site = Site::new(&with(test_spec(), "gateway", &[("port", port.into())]));
    let _nginx = Running::start(&site);
    let (open, closed) = (format!("http://127.0.0.1:{}", site.http), format!("https://127.0.0.1:{}", site.https));
    let token = ("Authorization", "Bearer geheim");

    let (status, location, _) = post(&format!("{open}/mcp"), &[token], b"{}");
    assert_eq!((status, location.as_str()), (308, "https://127.0.0.1/mcp"));

    let ask =
        |headers: &[(&str, &str)]| post(&format!("{closed}/mcp?token=geheim"), &[headers, &[token]].concat(), b"{}");
    let own = (format!("https://127.0.0.1:{}", site.https), "https://bench".to_owned());
    for headers in [
        &[][..],
        &[("Origin", own.0.as_str())],
        &[("Host", "bench"), ("Origin", own.1.as_str())],
        &[("Host", "anything.example")],
    ] {
        let (status, _, asked) = ask(headers);
        assert_eq!(status, 200, "{headers:?}");
        let asked = asked.to_lowercase();
        assert!(asked.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{asked}");
        assert!(asked.contains("\r\nauthorization: bearer geheim\r\n") && !asked.contains("\r\norigin:"), "{asked}");
    }
    let other_scheme = own.0.replace("https", "http");
    for headers in [
        &[("Origin", "https://evil.example")][..],
        &[("Origin", "null")],
        &[("Origin", "http://localhost:3000")],
        &[("Origin", other_scheme.as_str())],
        // A name that was pointed at this address.
        &[("Host", "evil.example"), ("Origin", "https://evil.example")],
    ] {
        assert_eq!(ask(headers).0, 403, "{headers:?}");
    }
    for path in ["/plugins", "/healthz", "/mcp/x"] {
        assert_eq!(post(&format!("{closed}{path}"), &[token], b"{}").0, 404, "{path}");
    }
    assert_eq!(post(&format!("{closed}/mcp"), &[token], &vec![b'x'; 17 << 20]).0, 413);
    let log = fs::read_to_string(site.path("access.log")).unwrap();
    let (calls, others): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.contains("\"POST /mcp HTTP"));
    assert!(calls.len() >= 10 && !others.is_empty(), "{log}");
    assert!(!calls.concat().contains("geheim"), "{log}");
}

#[test]
fn an_answer_comes_as_it_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = Site::new(&with(test_spec(), "gateway", &[("port", port.into())]));
    let _nginx = Running::start(&site);
    let (go, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        head(&mut stream);
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n");
        // The rest is not sent before the first part was seen.
        let _: Result<(), _> = wait.recv_timeout(Duration::from_secs(20));
        let _ = stream.write_all(b"data: 2\n\n");
    });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = TlsConfig::builder().disable_verification(true).build();
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    let mut body =
        agent.post(format!("https://127.0.0.1:{}/mcp", site.https)).send("").unwrap().into_body().into_reader();
    let mut first = [0; 9];
    let start = Instant::now();
    body.read_exact(&mut first).unwrap();
    assert!(start.elapsed() < Duration::from_secs(15) && first == *b"data: 1\n\n");
    go.send(()).unwrap();
    let mut rest = String::new();
    body.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "data: 2\n\n");
}
