//! The command line's contract: exit statuses, streams, messages, generated references.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;
use std::process::{Command, Stdio};

use borg_tests::{Bench, Ran, checkout, program};

const SMALL: &str = "profile: small\nservices: [nginx]\n";

fn bench() -> (tempfile::TempDir, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(folder.path());
    (folder, bench)
}

fn small(bench: &Bench, text: &str) -> String {
    bench.profile("small", text).to_str().unwrap().to_owned()
}

#[test]
fn help_is_no_error_and_a_wrong_word_is_2() {
    let (_folder, bench) = bench();
    assert!(bench.run(&["--help"]).exits(0).stdout.contains("build"));
    assert!(bench.run(&["build", "--help"]).exits(0).stdout.contains("--locked"));
    bench.run(&["bild"]).exits(2).says("build");
    bench.run(&["build"]).exits(2).says("--profile");
    bench.run(&["clean"]).exits(2);
    bench.run(&["boot", "--profile", "x", "--junit", "f"]).exits(2).says("--check");
}

#[test]
fn the_samples_are_right_and_faults_are_1() {
    let (_folder, bench) = bench();
    bench.run(&["check", "--profile", "edge-iot"]).exits(0);
    let path = small(&bench, "profile: small\nservces: [nginx]\nservices: [ngnix]\n");
    bench
        .run(&["check", "--profile", &path])
        .exits(1)
        .says("did you mean `services`")
        .says("did you mean `nginx`")
        .says("2 faults");
    bench.run(&["check", "--profile", "edge-iott"]).exits(1).says("edge-iot");
    bench.run(&["check", "--profile", "/nowhere/at/all.yaml"]).exits(1).says("/nowhere/at/all.yaml");
}

#[test]
fn all_profiles_of_a_folder_are_checked_at_once() {
    let (folder, bench) = bench();
    let run = |args: &[&str]| Ran::new(&bench.command(args).current_dir(folder.path()).output().unwrap());
    run(&["check", "--all"]).exits(1).says("there is no profile in ./profiles");
    for i in 0..20 {
        bench.profile(&format!("p{i}"), &SMALL.replace("small", &format!("p{i}")));
    }
    run(&["check", "--all"]).exits(0).says("all 20 profiles are right");
    bench.profile("p3", "profile: p3\nservices: [ngnix]\n");
    bench.profile("p7", "profile: p7\nsuit: trixie\n");
    let ran = run(&["check", "--all"]).exits(1).says("did you mean `nginx`?").says("did you mean `suite`?");
    ran.says("2 of 20 profiles failed: p3, p7");
    run(&["build", "--all", "--tag", "x"]).exits(2).says("--tag");
    run(&["check"]).exits(2).says("--profile");
}

#[test]
fn no_two_profiles_write_the_same_files() {
    let (folder, bench) = bench();
    let run = |args: &[&str]| Ran::new(&bench.command(args).current_dir(folder.path()).output().unwrap());
    bench.profile("one", SMALL);
    bench.profile("two", SMALL);
    for verb in ["check", "build"] {
        run(&[verb, "--all"]).exits(1).says("profiles/one.yaml and profiles/two.yaml have the same profile `small`");
    }
    bench.profile("one", "profile: one\nimage: {tag: shop}\n");
    bench.profile("two", "profile: two\nimage: {tag: shop}\n");
    run(&["check", "--all"]).exits(1).says("have the same tag `shop`");
    bench.profile("two", "profile: two\n");
    run(&["check", "--all"]).exits(0);
    fs::write(folder.path().join("profiles/two.yml"), "profile: three\n").unwrap();
    run(&["check", "--all"]).exits(1).says("profiles/two.yaml and profiles/two.yml would share profiles/two.lock");
    fs::write(folder.path().join("profiles/one.lock"), "").unwrap();
    run(&["check", "--profile", "profiles/one.lock"]).exits(1).says("is not named as a profile is").says("`.yaml`");
}

#[test]
fn each_flag_has_a_variable_and_the_environment_is_held_to_the_same_rules() {
    let (_folder, bench) = bench();
    let path = small(&bench, SMALL);
    let with =
        |name: &str, value: &str, args: &[&str]| Ran::new(&bench.command(args).env(name, value).output().unwrap());
    with("BORG_PROFILE", &path, &["check"]).exits(0).says("is right");
    with("BORG_OFFLINE_MODEL", "not a model", &["check", "--profile", &path]).exits(1).says("BORG_OFFLINE_MODEL");
    with("OFFLINE_ONLY", "maybe", &["check", "--profile", &path]).exits(2);
    with("BORG_LOG_FORMAT", "json", &["check", "--profile", "/nowhere.yaml"]).exits(1).says("\"event\":\"error\"");
    let help = bench.run(&["build", "--help"]).exits(0).stdout;
    for flag in
        ["--out", "--tag", "--locked", "--offline", "--engine", "--fast", "--store", "--runtime", "--log-format"]
    {
        assert!(help.contains(flag), "{flag}");
    }
    assert_eq!(
        help.matches("[env: ").count(),
        help.matches("\n      --").count() + help.matches("\n  -").count() - 1,
        "{help}"
    );
}

#[test]
fn variables_may_be_empty_or_say_yes() {
    let (_folder, bench) = bench();
    let path = small(&bench, SMALL);
    let check = |name: &str, value: &str| {
        Ran::new(&bench.command(&["check", "--profile", &path]).env(name, value).output().unwrap())
    };
    for name in ["BORG_ALL", "BORG_LOG_FORMAT", "BORG_RUNTIME", "OFFLINE_ONLY", "BORG_OFFLINE_MODEL"] {
        check(name, "").exits(0).says("is right");
    }
    check("OFFLINE_ONLY", "1").exits(0);
    check("OFFLINE_ONLY", "off").exits(0);
    check("OFFLINE_ONLY", "perhaps").exits(2);
    let locked = bench.command(&["build", "--profile", &path]).env("BORG_LOCKED", "1").output().unwrap();
    Ran::new(&locked).exits(1).says("small.lock");
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let (folder, bench) = bench();
    let project = folder.path().join("project");
    fs::create_dir_all(project.join("tmp")).unwrap();
    fs::write(project.join("tmp/precious"), "x").unwrap();
    let store = project.to_str().unwrap();
    bench.run(&["clean", "--all", "--store", store]).exits(2).says("is not a store");
    bench.run(&["clean", "--all", "--dry-run", "--store", store]).exits(2);
    assert_eq!(fs::read_dir(&project).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(project.join("tmp/precious")).unwrap(), "x");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_made() {
    let (folder, bench) = bench();
    let path = small(&bench, SMALL);
    let file = folder.path().join("file");
    fs::write(&file, "profile: small").unwrap();
    let build = |out: &std::ffi::OsStr| {
        let mut command = bench.command(&["build", "--profile", &path, "--out"]);
        Ran::new(&command.arg(out).output().unwrap())
    };
    build(file.as_os_str()).exits(1).says("is not a folder").says("--out");
    build(std::os::unix::ffi::OsStrExt::from_bytes(b"/tmp/\xff")).exits(2).says("UTF-8");
    let mut lock = bench.command(&["lock", "--profile", &path]);
    Ran::new(&lock.env("SOURCE_DATE_EPOCH", "253402300800").output().unwrap()).exits(2).says("32 bits");
    let mut lock = bench.command(&["lock", "--profile", &path]);
    Ran::new(&lock.env("SOURCE_DATE_EPOCH", "4294967295").output().unwrap()).exits(2).says("2106-02-07T06:28:15Z");
    fs::write(bench.folder.join("profiles/small.lock"), "format = 1\nepoch = 1\n").unwrap();
    bench.run(&["boot", "--profile", &path, "--iso", file.to_str().unwrap()]).exits(1);
    assert!(!bench.folder.join("out").exists());
}

#[test]
fn a_clock_behind_the_lock_is_refused() {
    let (_folder, bench) = bench();
    let path = small(&bench, SMALL);
    let digest = "0".repeat(64);
    let package = |table: &str, more: &str| {
        format!(
            "[[{table}]]\nname = \"x\"\nversion = \"1\"\narchitecture = \"all\"\nfilename = \"x.deb\"\nsize = 1\n\
             sha256 = \"{digest}\"\narchive = \"debian\"\n{more}\n"
        )
    };
    let text = [
        format!("format = 1\nspec = \"{digest}\"\nepoch = 4294967295\n[parts]\n"),
        package("package", "layer = \"essential\""),
        package("tool", "group = \"build\""),
        format!("[outputs]\nkernel = \"{digest}\"\ninitrd = \"{digest}\"\nlayer = []\n"),
        format!("[outputs.iso]\nsha256 = \"{digest}\"\nsize = 1\n"),
    ];
    fs::write(bench.folder.join("profiles/small.lock"), text.concat()).unwrap();
    bench.run(&["verify", "--offline", "--profile", &path]).exits(3).says("2106-02-07T06:28:15Z").says("set the clock");
}

#[test]
fn a_machine_reads_errors_as_one_json_line() {
    let (_folder, bench) = bench();
    let ran = bench.run(&["--log-format", "json", "check", "--profile", "/nowhere.yaml"]).exits(1);
    assert!(ran.stderr.lines().all(|l| l.starts_with('{') && l.ends_with('}')), "{}", ran.stderr);
}

#[test]
fn no_colour_where_none_is_wanted() {
    let (_folder, bench) = bench();
    let path = small(&bench, "profile: small\nservces: []\n");
    assert!(!bench.run(&["check", "--profile", &path]).exits(1).stderr.contains('\u{1b}'));
}

#[test]
fn what_cannot_be_a_profile_is_refused_without_being_read() {
    let (folder, bench) = bench();
    let huge = folder.path().join("profiles/huge.yaml");
    fs::File::create(&huge).unwrap().set_len(100_000_000).unwrap();
    bench.run(&["check", "--profile", huge.to_str().unwrap()]).exits(1).says("huge.yaml");
    bench.run(&["check", "--profile", folder.path().join("profiles/.yaml").to_str().unwrap()]).exits(1);
    let fifo = folder.path().join("profiles/fifo.yaml");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    bench.run(&["check", "--profile", fifo.to_str().unwrap()]).exits(1).says("fifo.yaml");
}

#[test]
fn an_ordinary_user_gets_clear_words() {
    let (folder, bench) = bench();
    let path = small(&bench, SMALL);
    let binary = folder.path().join("borg-compose");
    fs::copy(program(), &binary).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    fs::set_permissions(folder.path(), mode(0o755)).unwrap();
    fs::set_permissions(&path, mode(0o000)).unwrap();
    let as_nobody = |args: &[&str]| {
        let output = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(&binary)
            .args(args)
            .current_dir(folder.path())
            .env("BORG_STORE", folder.path().join("mine"))
            .output();
        Ran::new(&output.unwrap())
    };
    as_nobody(&["check", "--profile", &path]).exits(1).says("small.yaml");
    as_nobody(&["doctor"]).exits(3);
    as_nobody(&["clean", "--all"]).exits(0);
}

#[test]
fn a_lock_that_is_missing_broken_or_foreign_is_refused() {
    let (_folder, bench) = bench();
    let path = small(&bench, SMALL);
    let lock = bench.folder.join("profiles/small.lock");
    let locked = || bench.run(&["build", "--profile", &path, "--locked", "--offline"]);
    locked().exits(1).says("small.lock").says("borg-compose lock");
    fs::write(&lock, "format = 1\nspec = ").unwrap();
    locked().exits(1).says("small.lock");
    fs::write(&lock, "format = 2\n").unwrap();
    locked().exits(1).says("small.lock");
    fs::write(&lock, "\0\u{ff}").unwrap();
    locked().exits(1).says("small.lock");
    assert!(!bench.folder.join("out").exists());
}

#[test]
fn a_tag_is_a_name_and_leads_nowhere() {
    let (_folder, bench) = bench();
    let path = small(&bench, SMALL);
    for tag in ["../x", "a/b", "", ".hidden", "a b", "$(touch x)"] {
        let ran = bench.run(&["build", "--profile", &path, "--offline", "--locked", "--tag", tag]);
        assert!(matches!(ran.code, Some(1 | 2)), "{tag:?}: {ran:?}");
    }
}

#[test]
fn without_a_network_there_is_one_clear_error() {
    let (folder, bench) = bench();
    let path = small(&bench, SMALL);
    let runtime = folder.path().join("runtime");
    fs::create_dir(&runtime).unwrap();
    bench.run(&["--runtime", runtime.to_str().unwrap(), "lock", "--profile", &path]).exits(1).says("borg-boot-check");
    let mut command = Command::new("unshare");
    command.args(["--net", "--"]).arg(program()).args(["lock", "--profile", &path]).current_dir(checkout());
    let output = command.env("BORG_STORE", &bench.store).stdin(Stdio::null()).output().unwrap();
    Ran::new(&output).exits(4).says("no mirror serves");
    assert!(!bench.folder.join("profiles/small.lock").exists());
}

#[test]
fn without_cargo_the_way_out_is_told() {
    let (_folder, bench) = bench();
    let path = small(&bench, SMALL);
    let ran = bench.command(&["lock", "--profile", &path]).env("CARGO", "/none/cargo").output().unwrap();
    Ran::new(&ran).exits(3).says("there is no cargo").says("--runtime");
}

#[test]
fn clean_says_what_it_freed_and_doctor_what_there_is() {
    let (_folder, bench) = bench();
    bench.run(&["clean", "--all"]).exits(0).says("is not there");
    let doctor = bench.run(&["doctor"]).exits(0);
    assert!(doctor.stdout.contains("namespaces") && !doctor.stdout.contains("lacking"), "{}", doctor.stdout);
    bench.run(&["clean", "--layers", "--downloads", "--tools"]).exits(0);
    bench.run(&["clean", "--dry-run"]).exits(2).says("--layers");
    fs::create_dir_all(&bench.store).unwrap();
    bench.run(&["clean", "--all", "--dry-run", "--keep-latest"]).exits(0).says("would be removed");
}

#[test]
fn render_refuses_a_folder_with_something_in_it() {
    let (_folder, bench) = bench();
    let path = small(&bench, SMALL);
    let to = bench.folder.join("to");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("precious"), "x").unwrap();
    bench.run(&["render", "--profile", &path, "--to", to.to_str().unwrap()]).exits(1).says("not empty");
    assert_eq!(fs::read_to_string(to.join("precious")).unwrap(), "x");
}

/// A committed file that is made by a command.
fn is_fresh(file: &str, args: &[&str]) {
    let (_folder, bench) = bench();
    let made = bench.run(args).exits(0).stdout;
    let committed = fs::read_to_string(checkout().join(file)).unwrap_or_default();
    assert!(made == committed, "{file} is out of date: run `cargo run -- {} > {file}`", args.join(" "));
}

#[test]
fn generated_files_are_fresh() {
    is_fresh("docs/profile.md", &["docs", "profile"]);
    is_fresh("docs/commands.md", &["docs", "commands"]);
    is_fresh("profiles/profile.schema.json", &["schema"]);
}
