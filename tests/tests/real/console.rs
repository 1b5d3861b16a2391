//! What an operator sees and does at the serial console.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use borg_tests::Bench;
use borg_tests::console::Console;
use borg_tests::real::{bench, build, edge_iot};

/// `openssl passwd -6 -salt fixedsalt 'correct horse'`.
const HASH: &str = include_str!("correct-horse.hash");

const DOWN: &str = "\x1b[B";

/// An image with one user, whose password is kept in a file.
fn operators_image(bench: &Bench) -> PathBuf {
    let users = "users:\n  - name: op\n    password_hash_file: op.hash\n";
    let profile = bench.profile("operator", &edge_iot("operator", users));
    write_hash(&profile);
    build(bench, &profile, &["--fast"]).exits(0);
    profile
}

/// The file of the operator's password, beside the profile.
pub fn write_hash(profile: &Path) {
    let secret = profile.with_file_name("op.hash");
    fs::write(&secret, HASH).unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn log_in(console: &mut Console) {
    log_in_at(console, "operator");
}

/// The person `op`, at a machine of this name, whose login prompt is there.
pub fn log_in_at(console: &mut Console, host: &str) {
    console.send("op\n");
    console.expect("Password: ", 60);
    console.send("correct horse\n");
    console.expect(&format!("op@{host}:~$ "), 60);
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn an_operator_chooses_an_entry_and_logs_in_with_a_password() {
    let bench = bench();
    let profile = operators_image(&bench);

    let mut console = Console::boot(&bench, &profile, &[]);
    console.expect("copied to RAM", 60);
    // Editing an entry and the command line ask for a name that nobody has.
    console.send("e");
    console.expect("Enter username", 30);
    console.send("\x1b");
    console.expect("copied to RAM", 30);
    console.send(DOWN);
    console.send("\r");
    console.expect("operator login: ", 300);
    // Nobody logs in without a password, root least of all.
    console.send("root\n");
    console.expect("Password: ", 60);
    console.send("\n");
    console.expect("Login incorrect", 60);
    console.expect("operator login: ", 60);
    log_in(&mut console);
    assert_eq!(console.run("id -un"), "op\n");
    assert_eq!(console.run("findmnt -no FSTYPE /run/live/medium"), "tmpfs\n", "the medium is in RAM");
    let shadow = console.run("cat /etc/shadow");
    assert!(shadow.contains("Permission denied"), "{shadow}");
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn what_is_written_outlives_a_power_cut_with_persistence() {
    let bench = bench();
    let profile = operators_image(&bench);
    let disk = persistence_disk(&bench);
    let boot = || {
        let mut console = Console::boot(&bench, &profile, &["--disk", disk.to_str().unwrap()]);
        console.expect("with persistence", 60);
        console.send(DOWN);
        console.send(DOWN);
        console.send("\r");
        console.expect("operator login: ", 300);
        log_in(&mut console);
        console
    };
    let mut console = boot();
    assert_eq!(console.run("cat note; cat /etc/machine-id | wc -c"), "cat: note: No such file or directory\n33\n");
    let machine = console.run("cat /etc/machine-id");
    console.run("echo kept > note; sync");
    // Ctrl-A X: the plug is pulled.
    drop(console);
    let mut console = boot();
    assert_eq!(console.run("cat note"), "kept\n");
    assert_eq!(console.run("cat /etc/machine-id"), machine, "the device stays the same device");
    assert_eq!(console.run_within("systemctl is-system-running --wait", 300), "running\n");
}

/// A disk as live-boot's manual asks for: the label `persistence`, and what is to be kept in `persistence.conf`.
fn persistence_disk(bench: &Bench) -> PathBuf {
    let content = bench.folder.join("persistence");
    fs::create_dir_all(&content).unwrap();
    fs::write(content.join("persistence.conf"), "/ union\n").unwrap();
    let disk = bench.folder.join("persistence.img");
    fs::File::create(&disk).unwrap().set_len(256 << 20).unwrap();
    mkfs(&disk, &content);
    disk
}

fn mkfs(disk: &Path, content: &Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    let made = Command::new("mkfs.ext4")
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .args(["-q", "-L", "persistence", "-d"])
        .args([content, disk])
        .status()
        .unwrap();
    assert!(made.success());
}
