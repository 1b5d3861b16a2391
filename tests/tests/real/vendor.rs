//! Vendor archives and snapshot servers: the same image where the mirrors are out of reach, or have moved on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use borg_tests::real::{bench, build, edge_iot};
use borg_tests::{Bench, Ran, program, sha256};

use super::faults::{borrowed, locked, objects};

/// A secret that must stay at home.
const SECRET: &str = include_str!("correct-horse.hash");

/// The program in a network namespace with no way out, with a store of its own, in another folder.
fn cut_off(folder: &Path, store: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new("unshare");
    command.args(["--net", "--"]).arg(program()).args(args).current_dir(folder);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BORG_")) {
        command.env_remove(name);
    }
    Ran::new(&command.env("BORG_STORE", store).output().unwrap())
}

fn vendor(bench: &Bench, profile: &Path, more: &[&str]) -> Ran {
    let args = ["vendor", "--profile", profile.to_str().unwrap()];
    bench.run(&[&args, more].concat())
}

fn unpack(tar: &Path, folder: &Path) {
    fs::create_dir(folder).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(folder).status().unwrap().success());
}

/// The shared bench with a built profile that names files; its hash.
fn built(name: &str) -> (Bench, PathBuf, String) {
    let bench = bench();
    let folder = bench.folder.join("profiles");
    fs::create_dir_all(folder.join("more")).unwrap();
    fs::write(folder.join("more/note"), "taken along\n").unwrap();
    fs::write(folder.join("vendor-secret"), SECRET).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(folder.join("vendor-secret"), mode).unwrap();
    let more = "files: [{path: /etc/note, source: ./more/note}]\n\
                users: [{name: ann, password_hash_file: vendor-secret}]\n";
    let profile = bench.profile(name, &edge_iot(name, more));
    let ran = build(&bench, &profile, &[]).exits(0);
    let hash = sha256(Path::new(ran.last_line()));
    (bench, profile, hash)
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn another_machine_without_a_network_builds_the_same() {
    let (bench, profile, hash) = built("packed");
    let place = tempfile::tempdir().unwrap();
    let tar = place.path().join("packed.vendor.tar");
    let ran = vendor(&bench, &profile, &["--output", tar.to_str().unwrap()]).exits(0);
    assert_eq!(ran.last_line(), tar.to_str().unwrap());
    let first = sha256(&tar);
    vendor(&bench, &profile, &["--offline", "--output", tar.to_str().unwrap()]).exits(0);
    assert_eq!(sha256(&tar), first, "the same archive again");

    let (folder, store) = (place.path().join("unpacked"), place.path().join("store"));
    unpack(&tar, &folder);
    let grep = Command::new("grep").args(["-rlF", SECRET.trim()]).arg(&folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "", "the secret went in");
    assert!(!folder.join("profiles/vendor-secret").exists());
    let readme = fs::read_to_string(folder.join("README")).unwrap();
    let command = "borg-compose build --profile packed --locked --offline --vendor .";
    assert!(readme.contains(command), "{readme}");
    let args: Vec<&str> = command.split(' ').skip(1).collect();
    let ran = cut_off(&folder, &store, &args).exits(0).says("packages taken from .");
    assert_eq!(sha256(&folder.join(ran.last_line())), hash);

    // One byte of one package is another, and the store has lost that package: the lie is found out and named.
    let mut bytes = fs::read(&tar).unwrap();
    let lock = fs::read_to_string(profile.with_extension("lock")).unwrap();
    let digest = locked(&lock, "nginx-common");
    let name = format!("debs/{digest}.deb");
    let header = bytes.windows(name.len()).position(|w| w == name.as_bytes()).unwrap();
    bytes[header + 512 + 1000] ^= 1;
    fs::write(&tar, bytes).unwrap();
    fs::remove_file(objects(&store, &digest)).unwrap();
    // Only what is to be made takes packages.
    cut_off(&folder, &store, &["clean", "--layers"]).exits(0);
    let args = ["build", "--profile", "packed", "--locked", "--offline", "--vendor", tar.to_str().unwrap()];
    fs::remove_dir_all(folder.join("out")).unwrap();
    let _ = cut_off(&folder, &store, &args)
        .exits(4)
        .says("has no whole nginx-common")
        .says("neither in the store nor in")
        .says("the bytes are not those that the lock names");
    assert!(!folder.join("out").exists());
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_stale_or_missing_lock_is_not_packed() {
    let bench = bench();
    let profile = bench.profile("unpacked", &edge_iot("unpacked", ""));
    let _ = fs::remove_file(profile.with_extension("lock"));
    let out = bench.folder.join("none/unpacked.tar");
    let refused = || vendor(&bench, &profile, &["--output", out.to_str().unwrap()]).exits(1);
    let _ = refused().says("unpacked.lock does not exist").says("borg-compose lock");
    bench.run(&["lock", "--profile", profile.to_str().unwrap()]).exits(0);
    bench.profile("unpacked", &edge_iot("unpacked", "packages: [jq]"));
    let _ = refused().says("does not fit the profile").says("packages");
    assert!(!out.parent().unwrap().exists());
}

/// A snapshot server that has one package under a name of its own.
fn snapshot(name: &str, size: u64, bytes: Vec<u8>) -> String {
    let hash = "5".repeat(40);
    let (asked, file) = (format!("/mr/binary/{name}/"), format!("/file/{hash}"));
    let answer = format!(
        r#"{{"result":[{{"architecture":"all","hash":"{hash}"}}],"fileinfo":{{"{hash}":[{{"size":{size}}}]}}}}"#
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let path = path_of(&stream);
            let known = [(&asked, answer.as_bytes()), (&file, bytes.as_slice())];
            let found = known.iter().find(|(start, _)| path.starts_with(start.as_str())).map(|(_, body)| *body);
            let (code, body) = found.map_or(("404 No", &b""[..]), |body| ("200 OK", body));
            let head = format!("HTTP/1.1 {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // Who asks may go away.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    address
}

fn path_of(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    request.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
#[ignore = "asks Debian's mirrors: ./.ci/test runs it"]
fn a_package_that_left_the_mirrors_comes_from_a_snapshot_server() {
    let bench = bench();
    let profile = bench.profile("gone", &edge_iot("gone", ""));
    let path = profile.with_extension("lock");
    bench.run(&["lock", "--profile", profile.to_str().unwrap()]).exits(0);
    let lock = fs::read_to_string(&path).unwrap();
    let digest = locked(&lock, "nginx-common");
    // No mirror has it where the lock says it was, and neither has the store.
    let entry = lock.split("[[package]]").find(|e| e.contains(&digest)).unwrap();
    let place = entry.lines().find(|l| l.starts_with("filename")).unwrap();
    fs::write(&path, lock.replace(place, "filename = \"pool/main/n/nginx/nginx-common_0.1_all.deb\"")).unwrap();
    let store = borrowed(&bench);
    vendor(&store, &profile, &["--output", store.store.join("all.tar").to_str().unwrap()]).exits(0);
    let object = objects(&store.store, &digest);
    let bytes = fs::read(&object).unwrap();
    fs::remove_file(&object).unwrap();
    let out = store.store.join("gone.tar");
    let fetch = |server: &str| vendor(&store, &profile, &["--output", out.to_str().unwrap(), "--snapshot", server]);

    let ran = fetch("none").exits(4).says("no mirror serves nginx-common").says("--vendor");
    assert!(!ran.stderr.contains("snapshot server"), "{}", ran.stderr);
    let size = bytes.len() as u64;
    let liar = snapshot("nginx-common", size, vec![b'x'; bytes.len()]);
    let _ = fetch(&liar)
        .exits(4)
        .says("neither a mirror nor the snapshot server serves nginx-common")
        .says(&format!("{liar} serves other bytes"))
        .says("answers 404 for pool/main/n/nginx/nginx-common_0.1_all.deb");
    assert!(!out.exists() && !object.exists());
    let honest = snapshot("nginx-common", size, bytes);
    let _ = fetch(&honest).exits(0).says("nginx-common").says("has left the mirrors");
    assert_eq!(sha256(&object), digest);
    assert_eq!(sha256(&out), sha256(&store.store.join("all.tar")));
}
