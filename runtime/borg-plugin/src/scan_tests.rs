use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use borg_config::Permission;
use tempfile::TempDir;

use super::*;
use crate::Program;

/// A folder with files of these modes, made with the folders that they are in.
fn folder(files: &[(&str, &str, u32)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text, mode) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        chmod(&path, *mode);
    }
    folder
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn scan(folder: &TempDir) -> Vec<Found> {
    Folder::open(folder.path()).unwrap().scan().unwrap()
}

fn one(folder: &TempDir, name: &str) -> Found {
    Folder::open(folder.path()).unwrap().find(&name.parse().unwrap()).unwrap()
}

/// Why the plugin `name` is broken.
fn fault(folder: &TempDir, name: &str) -> String {
    one(folder, name).manifest.unwrap_err()
}

const PROGRAM: &str = r#"{"command": ["./bin/run"]}"#;

#[test]
fn both_forms_are_found_by_name() {
    let folder = folder(&[
        ("weather.py", "", 0o644),
        ("weather.json", r#"{"permissions": ["network"]}"#, 0o644),
        ("hello.py", "", 0o644),
        ("clock/plugin.json", PROGRAM, 0o644),
        ("clock/bin/run", "", 0o711),
        ("README", "", 0o644),
        (".hidden.py", "", 0o644),
        ("__pycache__/hello.pyc", "", 0o644),
    ]);
    let found = scan(&folder);
    let names: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.kind)).collect();
    assert_eq!(names, [("clock", Kind::Program), ("hello", Kind::Python), ("weather", Kind::Python)]);
    let manifest = |at: usize| found[at].manifest.clone().unwrap();
    assert_eq!(manifest(0).command.unwrap().program, Program::Own("bin/run".into()));
    assert_eq!(manifest(1), Manifest::default());
    assert!(manifest(2).permissions.contains(&Permission::Network));
}

#[test]
fn what_is_not_there_is_named() {
    let folder = folder(&[]);
    let error = Folder::open(folder.path()).unwrap().find(&"hello".parse().unwrap()).unwrap_err();
    let path = folder.path().display();
    assert_eq!(error, format!("there is no plugin hello: {path} has neither hello.py nor hello/plugin.json"));
    let missing = Folder::open(&folder.path().join("x")).unwrap_err();
    assert!(missing.starts_with(&format!("the plugins' folder {path}/x: No such file")), "{missing}");
}

#[test]
fn a_bad_name_is_broken_and_shown_on_one_line() {
    let folder = folder(&[("Hello World.py", "", 0o644), ("a\nb.py", "", 0o644)]);
    let found = scan(&folder);
    assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Hello World", "a\\nb"]);
    for one in found {
        let why = one.manifest.unwrap_err();
        assert!(why.contains("cannot be a plugin's name") && !why.contains('\n'), "{why}");
    }
}

#[test]
fn what_others_could_change_is_not_run() {
    let folder = folder(&[("a.py", "", 0o664), ("b.py", "", 0o666), ("c.py", "", 0o644), ("c.json", "{}", 0o622)]);
    assert_eq!(fault(&folder, "a"), "a.py: can be changed by others than its owner; `chmod go-w` it");
    assert!(fault(&folder, "b").contains("chmod go-w"));
    assert!(fault(&folder, "c").starts_with("c.json: can be changed"));
    chmod(folder.path(), 0o777);
    let error = Folder::open(folder.path()).unwrap_err();
    assert!(error.ends_with(": can be changed by others than its owner; `chmod go-w` it"), "{error}");
}

#[test]
fn another_users_plugin_is_not_run() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = folder(&[("a.py", "", 0o644)]);
    std::os::unix::fs::chown(folder.path().join("a.py"), Some(1234), None).unwrap();
    assert_eq!(fault(&folder, "a"), "a.py: belongs to user 1234, who could change it; `chown root` it");
}

#[test]
fn a_folder_on_the_way_to_a_program_counts() {
    let folder = folder(&[("clock/plugin.json", PROGRAM, 0o644), ("clock/bin/run", "", 0o755)]);
    assert!(one(&folder, "clock").manifest.is_ok());
    for (path, mode, why) in [
        ("clock/bin/run", 0o644, "clock/bin/run: cannot be executed; `chmod a+x` it"),
        ("clock/bin/run", 0o775, "clock/bin/run: can be changed by others"),
        ("clock/bin", 0o777, "clock/bin: can be changed by others"),
        ("clock", 0o775, "clock: can be changed by others"),
    ] {
        let path = folder.path().join(path);
        let before = fs::metadata(&path).unwrap().permissions().mode();
        chmod(&path, mode);
        assert!(fault(&folder, "clock").starts_with(why), "{}", fault(&folder, "clock"));
        chmod(&path, before);
    }
    fs::remove_file(folder.path().join("clock/bin/run")).unwrap();
    assert_eq!(fault(&folder, "clock"), "clock/bin/run: is missing, and plugin.json names it");
    fs::remove_file(folder.path().join("clock/plugin.json")).unwrap();
    assert_eq!(fault(&folder, "clock"), "clock/plugin.json is missing, which says how the plugin is started");
}

#[test]
fn no_link_is_followed() {
    let folder = folder(&[("clock/plugin.json", PROGRAM, 0o644), ("outside/run", "", 0o755)]);
    let at = |path: &str| folder.path().join(path);
    symlink("/etc/passwd", at("a.py")).unwrap();
    symlink(at("outside"), at("clock/bin")).unwrap();
    symlink("outside", at("other")).unwrap();
    assert_eq!(fault(&folder, "a"), "a.py: is a symbolic link; put there what it leads to");
    assert_eq!(fault(&folder, "clock"), "clock/bin: is a symbolic link; put there what it leads to");
    assert_eq!(fault(&folder, "other"), "other: is a symbolic link; put there what it leads to");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = folder(&[("b.py", "", 0o644)]);
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("a.py"), FileType::Fifo, mode, 0).unwrap();
    fs::write(folder.path().join("b.json"), " ".repeat(70_000)).unwrap();
    assert_eq!(fault(&folder, "a"), "a.py: is no plain file");
    assert_eq!(fault(&folder, "b"), "b.json: is longer than 64 KiB, which no manifest is");
}

#[test]
fn parts_that_are_not_one_plugin_are_told() {
    let folder = folder(&[
        ("a.py", "", 0o644),
        ("a/plugin.json", PROGRAM, 0o644),
        ("b.json", "{}", 0o644),
        ("c.json", "{}", 0o644),
        ("c/plugin.json", PROGRAM, 0o644),
        ("d.py", "", 0o644),
        ("d.json", r#"{"permission": []}"#, 0o644),
    ]);
    assert_eq!(fault(&folder, "a"), "is there twice: as the folder a and as a.py; remove one");
    assert_eq!(fault(&folder, "b"), "b.json: is a manifest, and there is no b.py beside it");
    assert_eq!(fault(&folder, "c"), "c.json: the folder c has a manifest of its own, plugin.json; remove one");
    assert!(fault(&folder, "d").starts_with("d.json: unknown field `permission`, expected"));
}

#[test]
fn a_change_gives_another_fingerprint() {
    let folder = folder(&[("a.py", "1", 0o644), ("clock/plugin.json", PROGRAM, 0o644), ("clock/bin/run", "", 0o755)]);
    let at = |path: &str| folder.path().join(path);
    for (name, change) in [
        ("a", &(|| fs::write(at("a.py"), "22").unwrap()) as &dyn Fn()),
        ("a", &|| fs::write(at("a.json"), "{}").unwrap()),
        ("a", &|| chmod(&at("a.py"), 0o664)),
        ("a", &|| fs::remove_file(at("a.json")).unwrap()),
        ("clock", &|| fs::write(at("clock/bin/run"), "22").unwrap()),
        ("clock", &|| fs::write(at("clock/plugin.json"), "{}").unwrap()),
    ] {
        let before = one(&folder, name).fingerprint;
        assert_eq!(one(&folder, name).fingerprint, before);
        change();
        assert_ne!(one(&folder, name).fingerprint, before, "{name}");
    }
}
