//! What an operator sees and does at the serial console.

use borg_tests::console::Console;
use borg_tests::real::{bench, build, edge_iot};

/// `openssl passwd -6 -salt fixedsalt 'correct horse'`.
const HASH: &str = include_str!("correct-horse.hash");

const DOWN: &str = "\x1b[B";

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn an_operator_chooses_an_entry_and_logs_in_with_a_password() {
    let bench = bench();
    let users = "users:\n  - name: op\n    password_hash_file: op.hash\n";
    let profile = bench.profile("operator", &edge_iot("operator", users));
    let secret = profile.with_file_name("op.hash");
    std::fs::write(&secret, HASH).unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    build(&bench, &profile, &["--fast"]).exits(0);

    let mut console = Console::boot(&bench, &profile);
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
    console.send("op\n");
    console.expect("Password: ", 60);
    console.send("correct horse\n");
    console.expect("op@operator:~$ ", 60);
    assert_eq!(console.run("id -un"), "op\n");
    assert_eq!(console.run("findmnt -no FSTYPE /run/live/medium"), "tmpfs\n", "the medium is in RAM");
    let shadow = console.run("cat /etc/shadow");
    assert!(shadow.contains("Permission denied"), "{shadow}");
}
