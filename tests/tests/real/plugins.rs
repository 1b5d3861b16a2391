//! Tools on a booted image: called by clients that were not written here; the specification's plugin, and one that tries what none may.

use std::path::{Path, PathBuf};

use borg_tests::Bench;
use borg_tests::console::Console;
use borg_tests::real::{bench, boot, build, edge_iot};

use super::clients;
use super::console::{log_in_at, write_hash};

/// Longer than a plugin's time limit, on an emulated processor.
const PATIENCE: u64 = 400;

/// An image with the plugins, and with one user who may use the tools.
fn image(bench: &Bench) -> PathBuf {
    let plugins =
        [("hello", include_str!("hello.py")), ("attacks", include_str!("attacks.py")), ("broken", "x = 1 / 0\n")];
    let file = |(name, text): (&str, &str)| {
        let content = serde_json::to_string(text).unwrap();
        format!("  - {{path: /opt/borgos/plugins/{name}.py, content: {content}}}\n")
    };
    let files: String = plugins.into_iter().map(file).collect();
    let users = "users:\n  - {name: op, password_hash_file: op.hash, groups: [borg]}\n";
    let text = edge_iot("plugins", &format!("files:\n{files}{users}"));
    // Clients try writing too.
    let profile = bench.profile("plugins", &text.replace("  - mcp\n", "  - mcp: {writable: true}\n"));
    write_hash(&profile);
    build(bench, &profile, &["--fast"]).exits(0);
    profile
}

struct Device {
    console: Console,
    /// The host's, which leads to the device's HTTPS.
    port: u16,
}

impl Device {
    fn start(bench: &Bench, profile: &Path) -> Self {
        let mut console = Console::boot(bench, profile, &["--forward", "443"]);
        console.expect("127.0.0.1:", 60);
        let port = console.expect(" is port 443 of the guest", 60).parse().unwrap();
        console.expect("plugins login: ", 300);
        log_in_at(&mut console, "plugins");
        let mut device = Device { console, port };
        // The services may still be starting.
        device
            .console
            .run_within("for i in $(seq 90); do borg call hello >/dev/null 2>&1 && break; sleep 1; done", 200);
        device
    }

    fn says_hello(&mut self) {
        let said = self.console.run_within("borg call hello --arg name=Bob; echo status $?", 120);
        if !said.contains("Hello Bob!") || !said.contains("status 0") {
            let seen = "borg plugin list; journalctl -n 20 --no-pager -t borg-plugin -u borg-gateway; ls -l /opt/borgos/plugins";
            panic!("{said}\n{}", self.console.run_within(seen, 120));
        }
    }

    /// What an attack's tool came to; hello and the gateway work on.
    fn attack(&mut self, tool: &str) -> String {
        let said = self
            .console
            .run_within(&format!("borg call {tool} 2>&1 | tail -c 3000; echo status ${{PIPESTATUS[0]}}"), PATIENCE);
        assert!(!said.contains("got "), "{tool}: {said}");
        self.says_hello();
        said
    }

    /// The attack fails with these words, of the limit that it met. The plugin works again afterwards: one that fails three times
    /// in a row is not asked, and the next attack would not be tried.
    fn fails(&mut self, tool: &str, words: &str) {
        let said = self.attack(tool);
        assert!(said.contains(words) && !said.contains("status 0"), "{tool} does not say `{words}`: {said}");
        let calm = self.console.run_within("borg call calm 2>&1", 120);
        assert_eq!(calm, "calm\n", "after {tool}");
    }
}

#[test]
#[ignore = "takes minutes and root: ./.ci/test runs it"]
fn tools_are_called_by_any_client_and_plugins_harm_nobody() {
    let bench = bench();
    let profile = image(&bench);
    boot(&bench, &profile, "bios", "cd", &[]);
    let mut device = Device::start(&bench, &profile);
    device.says_hello();
    let list = device.console.run_within("borg plugin list 2>&1", 120);
    assert!(list.contains("ZeroDivisionError") && list.contains("hello") && list.contains("attacks"), "{list}");

    clients::through_the_gateway(&bench, &mut device.console, device.port);
    clients::as_the_reference_server(&mut device.console);

    for (tool, words) in [
        ("read_shadow", "No such file or directory"),
        ("write_plugin", "Read-only file system"),
        ("endless", "plugin attacks: no answer within "),
        ("memory", "plugin attacks: it ended"),
        ("output", "plugin attacks: no answer within "),
        ("answer", "takes 32.0 MiB, and at most 4 are carried"),
        ("long_line", "plugin attacks: it sent a line of more than 5 MiB"),
        ("unasked", "plugin attacks: it sent 64 MiB that nobody asked for"),
    ] {
        device.fails(tool, words);
    }
    // What the filter of address families says, to each kind of socket; a place that only refuses says another word.
    let said = device.attack("connect");
    for place in ["host", "loopback", "loopback6", "gateway", "raw", "packet", "netlink"] {
        assert!(said.lines().any(|line| line == format!("{place}: EAFNOSUPPORT")), "{place}: {said}");
    }
    let said = device.attack("fork_bomb");
    let made = said.split("made ").nth(1).and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    // No number: the plugin was ended before it could tell.
    assert!(made.is_none_or(|made| made <= 64), "{said}");
    assert!(device.console.run("ls /opt/borgos/plugins").split_whitespace().all(|name| name != "more.py"));
    assert_eq!(device.console.run("systemctl --failed --no-legend --plain | grep -v borg-plugin | wc -l"), "0\n");
}
