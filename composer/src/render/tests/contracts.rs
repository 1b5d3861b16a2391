//! The real tools read what was rendered. They are Debian's: systemd, debconf, nginx, openssh-server, dash.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use super::super::{INCLUDES, NATIVE};
use super::*;

/// Writes a tree to a folder, owners apart.
pub(super) fn write(tree: &Tree, root: &Path) {
    for (path, node) in tree.iter() {
        let place = root.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        match &node.content {
            Content::File(bytes) => {
                fs::write(&place, bytes).unwrap();
                fs::set_permissions(&place, fs::Permissions::from_mode(node.mode)).unwrap();
            }
            Content::Symlink(target) => symlink(target, &place).unwrap(),
            Content::Folder => fs::create_dir_all(&place).unwrap(),
        }
    }
}

pub(super) fn written(spec: &ImageSpec) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&render(spec), folder.path());
    folder
}

pub(super) fn run(program: &str, args: &[&str]) -> Output {
    let path = format!("/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap());
    Command::new(program).args(args).env("PATH", path).output().unwrap_or_else(|e| panic!("{program}: {e}"))
}

/// Success and not a word.
pub(super) fn silent(program: &str, args: &[&str]) {
    let output = run(program, args);
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    assert!(output.status.success() && said.is_empty(), "{program} {args:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn systemd_verifies_every_unit() {
    let folder = written(&full_spec());
    let image = folder.path().join(INCLUDES);
    let units = image.join("etc/systemd/system");
    // The programs that the units start, and Debian's units that they name, are not in the rendered tree.
    for program in [
        "borg-boot-check",
        "borg-com-monitor",
        "borg-gateway",
        "borg-mcp-fs",
        "borg-plugin-host",
        "chmod",
        "mv",
        "openssl",
        "ssh-keygen",
        "sync",
        "systemd-sysusers",
        "systemd-tmpfiles",
    ] {
        let place = image.join("usr/bin").join(program);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir_all(image.join("usr/lib/systemd/system")).unwrap();
    for unit in fs::read_dir("/usr/lib/systemd/system").unwrap() {
        let unit = unit.unwrap();
        if unit.path().is_file() {
            fs::copy(unit.path(), image.join("usr/lib/systemd/system").join(unit.file_name())).unwrap();
        }
    }
    let mut found = 0;
    for unit in fs::read_dir(&units).unwrap().map(|unit| unit.unwrap().path()).filter(|unit| unit.is_file()) {
        let root = format!("--root={}", image.display());
        silent("systemd-analyze", &["verify", "--man=no", "--recursive-errors=one", &root, unit.to_str().unwrap()]);
        found += 1;
    }
    let wait_online = image.join("usr/lib/systemd/system/systemd-networkd-wait-online.service");
    fs::create_dir_all(image.join("usr/lib/systemd/")).unwrap();
    fs::copy("/bin/true", image.join("usr/lib/systemd/systemd-networkd-wait-online")).unwrap();
    let root = format!("--root={}", image.display());
    silent("systemd-analyze", &["verify", "--man=no", "--recursive-errors=one", &root, wait_online.to_str().unwrap()]);
    assert_eq!(found, 15);
}

/// What cannot be confined: the boot check runs what a profile's health checks name, looks into every process, and powers off.
const WIDE: [&str; 1] = ["borg-boot-check.service"];

/// Every service of ours, the templates with their drop-ins.
#[test]
fn systemd_finds_the_services_confined() {
    let folder = written(&full_spec());
    let image = folder.path().join(INCLUDES);
    let root = format!("--root={}", image.display());
    let units = fs::read_dir(image.join("etc/systemd/system")).unwrap();
    let units = units.map(|unit| unit.unwrap().file_name().into_string().unwrap());
    let (wide, confined): (Vec<_>, Vec<_>) =
        units.filter(|unit| unit.ends_with(".service")).partition(|unit| WIDE.contains(&unit.as_str()));
    for unit in &confined {
        let output = run("systemd-analyze", &["security", "--offline=yes", "--threshold=20", &root, unit]);
        assert!(output.status.success(), "{unit}: {}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!((wide.len(), confined.len()), (1, 11));
}

/// What a plugin prints could choose its priority, `<0>` for every terminal; and an end by the clock would come in a call.
#[test]
fn plugins_have_no_say_in_the_journal_and_no_end_by_the_clock() {
    for service in ["borg-plugin", "borg-plugin-network"] {
        let path = format!("{INCLUDES}/etc/systemd/system/{service}@.service.d/10-sandbox.conf");
        let sandbox = text(&render(&full_spec()), &path);
        assert!(sandbox.lines().any(|line| line == "SyslogLevelPrefix=no"), "{sandbox}");
        assert!(!sandbox.lines().any(|line| line.starts_with("RuntimeMaxSec=")), "{sandbox}");
    }
}

#[test]
fn debconf_reads_the_preseed() {
    for spec in [test_spec(), full_spec()] {
        let folder = written(&spec);
        let preseed = folder.path().join("config/includes.installer/preseed.cfg");
        silent("debconf-set-selections", &["-c", preseed.to_str().unwrap()]);
    }
}

#[test]
fn the_preseed_never_chooses_a_disk() {
    let preseed = text(&render(&full_spec()), "config/includes.installer/preseed.cfg");
    for line in preseed.lines() {
        assert!(!line.contains("partman") && !line.contains("bootdev"), "{line}");
    }
}

#[test]
fn sshd_takes_its_configuration() {
    let folder = written(&test_spec());
    let (key, config) = (folder.path().join("key"), folder.path().join("sshd_config"));
    silent("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]);
    let ours = folder.path().join(INCLUDES).join("etc/ssh/sshd_config.d/10-borg.conf");
    let text = format!("Include {}\nHostKey {}\n", ours.display(), key.display());
    fs::write(&config, text).unwrap();
    fs::create_dir_all("/run/sshd").unwrap();
    let output = run("sshd", &["-T", "-f", config.to_str().unwrap()]);
    let effective = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in ["permitrootlogin no", "passwordauthentication no", "kbdinteractiveauthentication no", "port 22"] {
        assert!(effective.lines().any(|l| l == line), "{line} is not among:\n{effective}");
    }
}

#[test]
fn a_shell_parses_every_script() {
    let folder = written(&full_spec());
    let tree = render(&full_spec());
    let mut scripts = 0;
    for (path, node) in tree.iter() {
        if matches!(&node.content, Content::File(bytes) if bytes.starts_with(b"#!")) {
            silent("sh", &["-n", folder.path().join(path).to_str().unwrap()]);
            scripts += 1;
        }
    }
    assert!(scripts >= 9, "{scripts}");
    assert!(tree.iter().filter(|(path, _)| path.starts_with("config/hooks/")).all(|(_, node)| node.mode == 0o755));
}

/// `systemctl preset-all` in a root with Debian's units and ours enables what the policy names and nothing else.
#[test]
fn presets_enable_what_the_policy_names() {
    let folder = written(&full_spec());
    let image = folder.path().join(INCLUDES);
    let units = image.join("usr/lib/systemd/system");
    fs::create_dir_all(&units).unwrap();
    for (unit, install) in [
        ("apt-daily.timer", "WantedBy=timers.target"),
        ("nginx.service", "WantedBy=multi-user.target"),
        ("ssh.service", "WantedBy=multi-user.target"),
        ("ssh.socket", "WantedBy=sockets.target"),
        ("systemd-networkd.service", "WantedBy=multi-user.target"),
        ("systemd-time-wait-sync.service", "WantedBy=sysinit.target"),
        ("getty@.service", "WantedBy=getty.target\nDefaultInstance=tty1"),
    ] {
        fs::write(units.join(unit), format!("[Service]\nExecStart=/bin/true\n[Install]\n{install}\n")).unwrap();
    }
    let output = run("systemctl", &["--root", image.to_str().unwrap(), "preset-all"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut enabled: Vec<String> = Vec::new();
    for wants in fs::read_dir(image.join("etc/systemd/system")).unwrap().map(|e| e.unwrap().path()) {
        if wants.extension().is_some_and(|kind| kind == "wants" || kind == "requires") {
            enabled.extend(fs::read_dir(wants).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()));
        }
    }
    enabled.sort();
    assert_eq!(
        enabled,
        [
            "borg-boot-check.service",
            "borg-com-monitor-token.service",
            "borg-com-monitor.service",
            "borg-gateway-token.service",
            "borg-gateway.service",
            "borg-mcp-fs-token.service",
            "borg-mcp-fs.service",
            "borg-nginx-certificate.service",
            "borg-passwords.service",
            "borg-plugin-network.socket",
            "borg-plugin.socket",
            "borg-ssh-host-keys.service",
            "getty@tty1.service",
            "nginx.service",
            "ssh.service",
            "systemd-networkd.service",
        ]
    );
}

/// Whatever framing the profile's schema lets through, the monitor reads; one that YAML takes for a number is no string.
#[test]
fn the_monitor_knows_every_framing_of_the_schema() {
    let catalogue = crate::catalogue::load(&Assets::embedded()).unwrap();
    let schema = catalogue.0["com-monitor"].options["ports"].pointer("/items/properties/framing").unwrap();
    let is_valid = |value: serde_json::Value| jsonschema::is_valid(schema, &value);
    let mut known = 0;
    for data in "456789".chars() {
        for parity in "NEOM".chars() {
            for stop in "0123".chars() {
                let text = format!("{data}{parity}{stop}");
                let read = text.parse::<borg_config::Framing>().is_ok();
                assert_eq!(is_valid(text.as_str().into()), read, "{text}");
                known += usize::from(read);
            }
        }
    }
    assert_eq!(known, 24);
    assert!(!is_valid(70.into()));
}

/// The programs read what the templates write.
#[test]
fn the_device_s_configuration_is_of_the_types_that_are_read() {
    let folder = written(&test_spec());
    let image = folder.path().join(INCLUDES);
    let gateway: borg_config::Gateway = borg_config::load(&image.join("etc/borg/gateway.json")).unwrap();
    assert_eq!(gateway.servers.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["files", "serial"]);
    assert!(gateway.plugins.is_some());
    let plugins: borg_config::Plugins = borg_config::load(&image.join("etc/borg/plugins.json")).unwrap();
    assert!(plugins.grants("weather", borg_config::Permission::Network));
    let _: borg_config::ComMonitor = borg_config::load(&image.join("etc/borg/com-monitor.json")).unwrap();
}

#[test]
fn the_native_files_are_the_image_s_own() {
    let tree = render(&test_spec());
    assert!(tree.iter().filter(|(path, _)| path.starts_with(NATIVE)).count() == 2);
}
