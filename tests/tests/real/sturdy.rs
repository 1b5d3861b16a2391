//! Builds that are killed, run out of disk or lose their mirror at random moments: the next one is right all the same.
//!
//! `./.ci/faults` runs the long form; `BORG_TEST_SEED` repeats a run.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use borg_tests::real::{bench, build, edge_iot};
use borg_tests::{Bench, Ran, sha256};

use super::faults::{borrowed, locked, objects};
use super::traces;

/// Numbers that can be had again: xorshift64.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let given = std::env::var("BORG_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        let seed = given.unwrap_or_else(|| u64::from(now) | 1);
        println!("BORG_TEST_SEED={seed}");
        Dice(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// How many faults must meet a running build: `short`, or what the long form asks for by the variable of this name.
fn rounds(short: usize, asked: &str) -> usize {
    std::env::var(asked).ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}

fn start(bench: &Bench, profile: &Path) -> Child {
    let out = bench.folder.join("out");
    let args = ["build", "--fast", "--profile", profile.to_str().unwrap(), "--out", out.to_str().unwrap()];
    bench.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn loops() -> String {
    let list =
        Command::new("losetup").args(["--list", "--noheadings"]).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output();
    String::from_utf8_lossy(&list.unwrap().stdout).into_owned()
}

/// A profile in one of its states, and the hash that its image has then.
struct State {
    text: String,
    hash: String,
}

/// An image, an edit of it, and one package more, each built once.
fn states(bench: &Bench, name: &str) -> Vec<State> {
    let file = "files: [{path: /etc/motd, content: edited}]\n";
    ["", file, "packages: [tree]\n"]
        .map(|more| {
            let text = edge_iot(name, more);
            let profile = bench.profile(name, &text);
            let ran = build(bench, &profile, &["--fast"]).exits(0);
            State { text, hash: sha256(Path::new(ran.last_line())) }
        })
        .into()
}

fn set(bench: &Bench, name: &str, state: &State) -> PathBuf {
    bench.profile(name, &state.text)
}

/// How long builds take on this machine, within which a fault is to come.
struct Lengths {
    cold: Duration,
    edit: Duration,
}

impl Lengths {
    fn measure(bench: &Bench, name: &str, states: &[State]) -> Self {
        let timed = |state: &State| {
            let (profile, start) = (set(bench, name, state), Instant::now());
            build(bench, &profile, &["--fast"]).exits(0);
            start.elapsed()
        };
        bench.run(&["clean", "--layers"]).exits(0);
        let lengths = Lengths { cold: timed(&states[0]), edit: timed(&states[1]) };
        println!("from nothing {:.1?}, an edit {:.1?}", lengths.cold, lengths.edit);
        lengths
    }

    fn moment(&self, cold: bool, dice: &mut Dice) -> Duration {
        let length = if cold { self.cold } else { self.edit };
        Duration::from_millis(dice.below(length.as_millis().try_into().unwrap()))
    }
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn killed_at_any_moment_the_next_build_is_right() {
    let (bench, mut dice) = (bench(), Dice::new());
    let states = states(&bench, "killed");
    let lengths = Lengths::measure(&bench, "killed", &states);
    let before = loops();
    let (mut interrupted, mut round) = (0, 0);
    let count = rounds(6, "BORG_TEST_KILLS");
    // Those that were done before their moment came do not count.
    while interrupted < count {
        round += 1;
        let state = &states[usize::try_from(dice.below(3)).unwrap()];
        let profile = set(&bench, "killed", state);
        // One in four from nothing, the others as an edit of what there is.
        let cold = dice.below(4) == 0;
        if cold {
            bench.run(&["clean", "--layers"]).exits(0);
        }
        let after = lengths.moment(cold, &mut dice);
        let mut child = start(&bench, &profile);
        std::thread::sleep(after);
        interrupted += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(traces(&bench), [""; 0], "round {round}: killed after {after:?}");
        assert_eq!(loops(), before, "round {round}");
        let ran = build(&bench, &profile, &["--fast"]).exits(0);
        assert_eq!(sha256(Path::new(ran.last_line())), state.hash, "round {round}: killed after {after:?}");
        assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0, "round {round}");
    }
    println!("{round} builds, {interrupted} of them killed before their end: all right afterwards");
}

/// A file system of its own for a store; gone when this is dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(at: PathBuf, megabytes: u32) -> Self {
        fs::create_dir_all(&at).unwrap();
        let size = format!("size={megabytes}m");
        assert!(
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "filled"]).arg(&at).status().unwrap().success()
        );
        Disk(at)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_disk_that_fills_up_at_any_moment_spoils_nothing() {
    let (shared, mut dice) = (bench(), Dice::new());
    let states = states(&shared, "filled");
    let disk = Disk::new(shared.folder.join("disk"), 4000);
    let bench = Bench { folder: shared.folder.clone(), store: disk.0.join("store") };
    assert!(Command::new("cp").arg("-a").arg(&shared.store).arg(&bench.store).status().unwrap().success());
    let lengths = Lengths::measure(&bench, "filled", &states);
    let (mut full, mut round) = (0, 0);
    let count = rounds(4, "BORG_TEST_DISKS");
    while full < count {
        round += 1;
        let state = &states[usize::try_from(dice.below(3)).unwrap()];
        let profile = set(&bench, "filled", state);
        let cold = dice.below(2) == 0;
        if cold {
            bench.run(&["clean", "--layers"]).exits(0);
        }
        let after = lengths.moment(cold, &mut dice);
        let child = start(&bench, &profile);
        std::thread::sleep(after);
        let filler = disk.0.join("filler");
        fill(&filler);
        let ran = Ran::new(&child.wait_with_output().unwrap());
        fs::remove_file(&filler).unwrap();
        if ran.code != Some(0) {
            full += 1;
            let ran = ran.exits(3);
            let said = ran.stderr.contains("space") || ran.stderr.contains("MB are free");
            assert!(said, "round {round}: full after {after:?}\n{}", ran.stderr);
        }
        assert_eq!(traces(&bench), [""; 0], "round {round}");
        let ran = build(&bench, &profile, &["--fast"]).exits(0);
        assert_eq!(sha256(Path::new(ran.last_line())), state.hash, "round {round}: full after {after:?}");
        assert_eq!(fs::read_dir(bench.store.join("tmp")).unwrap().count(), 0, "round {round}");
    }
    println!("{round} builds, {full} of them stopped by the full disk: all right afterwards");
}

/// Takes all the space that is left.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let block = vec![1; 1 << 20];
    while file.write_all(&block).is_ok() {}
    let _ = file.write_all(&block[..4096]);
}

/// A mirror that sends each of these packages, by a part of its name, up to a byte, and then hangs up. It has nothing else.
fn faltering(packages: Vec<(String, Vec<u8>, usize)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/debian", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let got = std::io::Read::read(&mut stream, &mut request).unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..got]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            // Who asks may go away; that is no fault of the mirror's.
            let _ = match packages.iter().find(|(name, ..)| path.contains(name.as_str())) {
                Some((_, bytes, cut)) => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len())
                    .and_then(|()| stream.write_all(&bytes[..*cut])),
                None => write!(stream, "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            };
        }
    });
    address
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn a_mirror_that_hangs_up_at_any_byte_is_made_good_by_the_next() {
    let (bench, mut dice) = (bench(), Dice::new());
    let plain = bench.profile("hung-up", &edge_iot("hung-up", ""));
    let hash = sha256(Path::new(build(&bench, &plain, &["--fast"]).exits(0).last_line()));
    let lock = fs::read_to_string(plain.with_extension("lock")).unwrap();
    let names = ["nginx-common", "systemd", "bash", "libc6"];
    let count = rounds(3, "BORG_TEST_CUTS");
    let start = Instant::now();
    for round in 0..count {
        let other = borrowed(&bench);
        // Only what is to be made takes packages.
        other.run(&["clean", "--layers"]).exits(0);
        let packages = names.map(|name| {
            let object = objects(&other.store, &locked(&lock, name));
            let bytes = fs::read(&object).unwrap();
            fs::remove_file(&object).unwrap();
            let cut = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            (format!("/{name}_"), bytes, cut)
        });
        let address = faltering(packages.into());
        // Mirrors decide no byte, so the lock still fits.
        other.profile("hung-up", &edge_iot("hung-up", &format!("mirrors: [\"{address}\"]\n")));
        let ran = build(&other, &plain, &["--fast", "--locked"]).exits(0).says("; asking ");
        assert_eq!(sha256(Path::new(ran.last_line())), hash, "round {round}");
        for name in names {
            let digest = locked(&lock, name);
            assert_eq!(sha256(&objects(&other.store, &digest)), digest, "round {round}: {name}");
        }
    }
    println!("{count} builds with {} packages cut each: all right, {:.0?}", names.len(), start.elapsed());
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn eight_builds_at_once_make_each_layer_once() {
    let bench = bench();
    let profiles = ["at-once-0", "at-once-1", "at-once-2", "at-once-3"].map(|name| {
        let more = match name {
            "at-once-3" => "packages: [tree]\n".to_owned(),
            _ => format!("files: [{{path: /etc/motd, content: {name}}}]\n"),
        };
        let profile = bench.profile(name, &edge_iot(name, &more));
        bench.run(&["lock", "--profile", profile.to_str().unwrap()]).exits(0);
        profile
    });
    bench.run(&["clean", "--layers"]).exits(0);
    let children: Vec<Child> = profiles.iter().chain(&profiles).map(|profile| start(&bench, profile)).collect();
    let ran: Vec<Ran> =
        children.into_iter().map(|child| Ran::new(&child.wait_with_output().unwrap()).exits(0)).collect();
    let made = |what: &str| ran.iter().filter(|ran| ran.stderr.contains(&format!("layer  {what} rebuilt"))).count();
    // One base and one initrd for all, and packages for the three alike and the one with another.
    assert_eq!((made("base"), made("initrd"), made("packages"), made("files")), (1, 1, 2, 4), "{ran:#?}");
    assert_eq!(traces(&bench), [""; 0]);
    for profile in &profiles {
        build(&bench, profile, &["--fast"]).exits(0).says("nothing changed");
    }
}
