//! A store that is shared, on an S3 server that was not written here: honest, broken, lying.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use borg_tests::real::{bench, edge_iot};
use borg_tests::{Bench, Ran, checkout, program, sha256};

const URL: &str = "s3://team/store";

/// moto's S3 server, which `.ci/setup` installs.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start() -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| checkout().join("target"), PathBuf::from);
        let server = target.join("moto/bin/moto_server");
        assert!(server.is_file(), "{} is missing: run `.ci/setup`", server.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, port };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_mins(1), "the server did not come");
            std::thread::sleep(Duration::from_millis(100));
        }
        server.request("PUT", "/team", b"");
        server
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// One plain request. moto looks at who signed it, and not whether the signature is right.
    fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let credential = "Credential=team/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let headers =
            format!("Host: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 {credential}\r\nContent-Length: {length}");
        write!(stream, "{method} {path} HTTP/1.0\r\n{headers}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        assert!(head.split(' ').nth(1).is_some_and(|code| code.starts_with('2')), "{method} {path}: {head}");
        answer[end..].to_vec()
    }

    /// The names below the shared store, without their common start.
    fn names(&self) -> Vec<String> {
        let text = String::from_utf8(self.request("GET", "/team?list-type=2&max-keys=1000", b"")).unwrap();
        let names = text.split("<Key>store/").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        names.collect()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        self.request("GET", &format!("/team/store/{name}"), b"")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        self.request("PUT", &format!("/team/store/{name}"), bytes);
    }
}

/// Stands between the program and the server: after `bytes` of answers nothing more comes.
struct Leak {
    port: u16,
    dry: Arc<AtomicBool>,
}

impl Leak {
    fn new(server: u16, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (dry, left) = (Arc::new(AtomicBool::new(false)), Arc::new(std::sync::Mutex::new(bytes)));
        let flag = dry.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let (left, flag) = (left.clone(), flag.clone());
                std::thread::spawn(move || drip(upstream, client, &left, &flag));
            }
        });
        Leak { port, dry }
    }
}

fn drip(mut from: TcpStream, mut to: TcpStream, left: &std::sync::Mutex<usize>, dry: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let allowed = {
            let mut left = left.lock().unwrap();
            let allowed = count.min(*left);
            *left -= allowed;
            allowed
        };
        if to.write_all(&buffer[..allowed]).is_err() {
            return;
        }
        if allowed < count {
            dry.store(true, Ordering::SeqCst);
            // One byte now and then: the connection looks alive.
            while to.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_secs(1));
            }
            return;
        }
    }
}

/// A team: one that builds and pushes, and others with nothing but the profile, its lock and the server.
struct Team {
    bench: Bench,
    server: Server,
    profile: PathBuf,
    folder: tempfile::TempDir,
    hash: String,
    lock: String,
}

impl Team {
    /// Builds and pushes with the key `ci`; the lock that others get names no outputs unless `committed`.
    fn new(name: &str, committed: bool) -> Self {
        let (bench, server, folder) = (bench(), Server::start(), tempfile::tempdir().unwrap());
        for key in ["ci", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.path().join(key))
                .status()
                .unwrap();
            assert!(made.success());
        }
        let profile = bench.profile(name, &edge_iot(name, &format!("hostname: {name}\n")));
        let mut team = Team { bench, server, profile, folder, hash: String::new(), lock: String::new() };
        let key = team.key("ci");
        let mut push = vec!["--push", "--sign-key", &key];
        push.extend(if committed { [].as_slice() } else { ["--fast"].as_slice() });
        let store = team.bench.store.clone();
        let ran = team.build(&store, &team.server.address(), false, &push).exits(0).says("3 signed records pushed to");
        team.hash = sha256(Path::new(ran.last_line()));
        team.lock = fs::read_to_string(team.profile.with_extension("lock")).unwrap();
        team
    }

    fn key(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `alone` is a machine that reaches nothing but the shared store.
    fn build(&self, store: &Path, endpoint: &str, alone: bool, more: &[&str]) -> Ran {
        let out = self.folder.path().join("out");
        let mut args = vec!["build", "--profile", self.profile.to_str().unwrap(), "--out", out.to_str().unwrap()];
        args.extend(["--store", URL]);
        args.extend(more);
        let start = Instant::now();
        let mut command = self.bench.command(&args);
        command.env("BORG_STORE", store).env("AWS_ENDPOINT", endpoint).env("AWS_ALLOW_HTTP", "true");
        if alone {
            let dead = "http://127.0.0.1:9";
            command.env("http_proxy", dead).env("https_proxy", dead).env("no_proxy", "127.0.0.1").env("CARGO", "false");
        }
        command.env("AWS_ACCESS_KEY_ID", "team").env("AWS_SECRET_ACCESS_KEY", "hunter2-secret");
        let ran = Ran::new(&command.output().unwrap());
        println!("{:.1} s: build {}", start.elapsed().as_secs_f64(), more.join(" "));
        assert!(!ran.stderr.contains("hunter2-secret"), "{}", ran.stderr);
        ran
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("second")
    }

    /// A machine with nothing, which reaches nothing but the shared store.
    fn empty(&self, endpoint: &str, more: &[&str]) -> Ran {
        let _ = fs::remove_dir_all(self.store());
        self.second(endpoint, true, more)
    }

    /// A machine that has packages and tools, so that nothing has to be downloaded to make the layers.
    fn without_layers(&self, endpoint: &str, more: &[&str]) -> Ran {
        let _ = fs::remove_dir_all(self.store());
        let linked = Command::new("cp").arg("-al").arg(&self.bench.store).arg(self.store()).status().unwrap();
        assert!(linked.success());
        let store = Bench { folder: self.bench.folder.clone(), store: self.store() };
        store.run(&["clean", "--layers"]).exits(0);
        self.second(endpoint, false, more)
    }

    /// What it builds is the same, and no secret is kept.
    fn second(&self, endpoint: &str, alone: bool, more: &[&str]) -> Ran {
        fs::write(self.profile.with_extension("lock"), &self.lock).unwrap();
        let ran = self.build(&self.store(), endpoint, alone, &[&["--locked"], more].concat()).exits(0);
        assert_eq!(sha256(Path::new(ran.last_line())), self.hash);
        let found = Command::new("grep").args(["-rl", "hunter2-secret"]).arg(self.store()).output().unwrap();
        assert!(found.stdout.is_empty(), "a secret is in the store");
        ran
    }

    /// The name of a layer's object.
    fn layer(&self, name: &str) -> String {
        let manifest = fs::read_dir(self.folder.path().join("out")).unwrap().flatten().map(|e| e.path());
        let manifest = manifest.filter(|p| p.to_string_lossy().ends_with(".manifest.json")).max().unwrap();
        let text = fs::read_to_string(manifest).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let layers = value["layers"].as_array().unwrap();
        let digest = layers.iter().find(|l| l["name"] == name).unwrap()["sha256"].as_str().unwrap().to_owned();
        format!("objects/{}/{digest}", &digest[..2])
    }
}

const PULLED: [&str; 3] = ["base pulled from", "packages pulled from", "initrd pulled from"];

fn all_pulled(ran: &Ran) -> bool {
    PULLED.iter().all(|text| ran.stderr.contains(text))
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_second_machine_pulls_what_the_first_one_pushed() {
    // The committed lock vouches; no mirror is asked, nothing compiled, nothing made.
    let team = Team::new("shared", true);
    let ran = team.empty(&team.server.address(), &[]);
    assert!(all_pulled(&ran), "{}", ran.stderr);
    drop(team);

    // The lock names no outputs: it is the signer's word.
    let team = Team::new("signed", false);
    let (address, ci, stranger) = (team.server.address(), team.key("ci.pub"), team.key("stranger"));
    let ran = team.empty(&address, &["--fast", "--trust", &ci]);
    assert!(all_pulled(&ran), "{}", ran.stderr);
    // What is pulled is used again, and not signed for.
    let ran = team.build(&team.store(), &address, true, &["--fast", "--locked", "--push", "--sign-key", &stranger]);
    let _ = ran.exits(0).says("base reused").says("0 objects and 0 signed records pushed");
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_store_that_breaks_costs_time_only() {
    let team = Team::new("broken", false);
    let trust = team.key("ci.pub");
    let args = ["--fast", "--trust", &trust];
    // Nobody there, an error for everything, and one that drips in the middle of a layer.
    let nobody = format!("http://127.0.0.1:{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let ran = team.without_layers(&nobody, &args).says("base rebuilt");
    assert_eq!(ran.stderr.matches("left alone for the rest of this run").count(), 1, "{}", ran.stderr);
    let leak = Leak::new(team.server.port, 30 << 20);
    let ran = team.without_layers(&format!("http://127.0.0.1:{}", leak.port), &args);
    assert!(leak.dry.load(Ordering::SeqCst), "it was not asked for so much");
    assert_eq!(ran.stderr.matches("left alone for the rest of this run").count(), 1, "{}", ran.stderr);
    assert!(!all_pulled(&ran), "{}", ran.stderr);
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_store_that_lies_costs_time_only() {
    let team = Team::new("lying", false);
    let (address, ci) = (team.server.address(), team.key("ci.pub"));
    // Somebody whom nobody trusts has signed.
    let ran = team.without_layers(&address, &["--fast", "--trust", &team.key("stranger.pub")]);
    let _ = ran.says("base rebuilt").says("packages rebuilt").says("initrd rebuilt");

    // Records swapped between keys.
    let records: Vec<String> = team.server.names().into_iter().filter(|n| n.starts_with("records/")).collect();
    assert_eq!(records.len(), 3, "{records:?}");
    let texts: Vec<Vec<u8>> = records.iter().map(|name| team.server.read(name)).collect();
    for (name, text) in records.iter().zip(texts.iter().cycle().skip(1)) {
        team.server.write(name, text);
    }
    let ran =
        team.without_layers(&address, &["--fast", "--trust", &ci]).says("is not believed: it is about another layer");
    let _ = ran.says("base rebuilt").says("packages rebuilt").says("initrd rebuilt");
    for (name, text) in records.iter().zip(&texts) {
        team.server.write(name, text);
    }

    // The base layer's bytes are others, of the same length.
    let base = team.layer("base");
    let honest = team.server.read(&base);
    let mut other = honest.clone();
    other[1_000_000] ^= 1;
    team.server.write(&base, &other);
    let ran = team.without_layers(&address, &["--fast", "--trust", &ci]).says("has other bytes under objects/");
    let _ = ran.says("base rebuilt").says("packages pulled from").says("initrd pulled from");
    // Whoever noticed it and may write mends it.
    let _ = team.without_layers(&address, &["--fast", "--push", "--trust", &ci]);
    assert!(team.server.read(&base) == honest, "it was not mended");
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_folder_can_be_shared_and_needs_no_network() {
    let bench = bench();
    let profile = bench.profile("folder", &edge_iot("folder", "hostname: folder\n"));
    let place = tempfile::tempdir().unwrap();
    let team = format!("file://{}/team", place.path().display());
    let out = place.path().join("out");
    let args = ["build", "--profile", profile.to_str().unwrap(), "--out", out.to_str().unwrap(), "--store", &team];
    let first = bench.run(&[&args[..], &["--push"]].concat()).exits(0).says("pushed to file:///");
    let hash = sha256(Path::new(first.last_line()));
    // Another machine, without a way out.
    let mut command = Command::new("unshare");
    command.args(["--net", "--"]).arg(program()).args(args).args(["--locked", "--offline"]).current_dir(place.path());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BORG_")) {
        command.env_remove(name);
    }
    let start = Instant::now();
    let ran = Ran::new(&command.env("BORG_STORE", place.path().join("store")).output().unwrap()).exits(0);
    println!("{:.1} s: pulled from a folder", start.elapsed().as_secs_f64());
    assert!(all_pulled(&ran), "{}", ran.stderr);
    assert_eq!(sha256(Path::new(ran.last_line())), hash);
}
