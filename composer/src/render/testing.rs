//! A small image, written by hand.

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::Digest;
use crate::assets::Assets;
use crate::catalogue::types::{Protocol, Reach, TemplateFile};
use crate::profile::types::{Arch, Compression, Firmware, Flavour, Keyboard, Suite};
use crate::spec::ImageSpec;
use crate::spec::types::{
    ArchiveKind, ArchiveSpec, FileSpec, Health, ImageOptions, KernelSpec, NetworkSpec, Origin, Password, Port,
    ServiceSpec, UserSpec, Wanted,
};

const WAIT_ONLINE: &str = "/etc/systemd/system/systemd-networkd-wait-online.service.d/10-borg.conf";

/// An image with every service of the catalogue.
pub fn test_spec() -> ImageSpec {
    ImageSpec {
        profile: "test-bench".into(),
        suite: Suite::Trixie,
        arch: Arch::Amd64,
        hostname: "bench".into(),
        locale: "C.UTF-8".into(),
        timezone: "Etc/UTC".into(),
        keyboard: Keyboard { layout: "us".into(), variant: None },
        network: NetworkSpec { dhcp: true, addresses: vec![], gateway: None, dns: vec![], time: vec![] },
        services: services(),
        base_packages: wanted(&["systemd-sysv", "live-boot", "linux-image-amd64"]),
        packages: wanted(&["borg-mcp-fs", "jq", "nginx", "openssh-server"]),
        users: vec![],
        files: vec![test_file("/etc/motd", "welcome\n")],
        kernel: KernelSpec { flavour: Flavour::Generic, package: "linux-image-amd64".into(), cmdline: vec![] },
        firmware: Firmware::Common,
        archives: vec![
            archive("debian", ArchiveKind::Debian, "trixie", "https://deb.debian.org/debian"),
            archive("updates", ArchiveKind::Debian, "trixie-updates", "https://deb.debian.org/debian"),
            archive("security", ArchiveKind::Security, "trixie-security", "https://deb.debian.org/debian-security"),
        ],
        image: ImageOptions { label: "TEST_BENCH".into(), size_limit: 2_000_000_000, compression: Compression::Zstd },
        device: borg_config::Device {
            profile: "test-bench".into(),
            offline_model: Some("phi3:instruct".into()),
            offline_only: false,
        },
        assets: Assets::embedded().digest(),
    }
}

/// The same with a user of each kind, an extra repository, another locale, static addresses.
pub fn full_spec() -> ImageSpec {
    let mut spec = test_spec();
    spec.users = vec![
        test_user("alice", 1000, &["dialout", "sudo"], Password::Hash("$y$j9T$salt$hash".into())),
        test_user("bob", 1001, &[], Password::Credential),
    ];
    spec.locale = "de_DE.UTF-8".into();
    spec.keyboard = Keyboard { layout: "de".into(), variant: Some("nodeadkeys".into()) };
    spec.timezone = "Europe/Berlin".into();
    spec.network = NetworkSpec {
        dhcp: false,
        addresses: vec!["192.168.1.10/24".into()],
        gateway: Some("192.168.1.1".into()),
        dns: vec!["192.168.1.1".into(), "9.9.9.9".into()],
        time: vec!["ntp.example.org".into()],
    };
    let key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n";
    spec.archives.push(archive("vendor", ArchiveKind::Extra { key: key.into() }, "stable", "https://example.org/apt"));
    spec.kernel.cmdline = vec!["quiet".into(), "usbcore.autosuspend=-1".into()];
    spec
}

pub fn test_user(name: &str, uid: u32, groups: &[&str], password: Password) -> UserSpec {
    UserSpec {
        name: name.into(),
        uid,
        groups: groups.iter().map(|&group| group.into()).collect(),
        shell: "/bin/bash".into(),
        ssh_keys: vec!["ssh-ed25519 AAAA somebody's key".into()],
        password,
    }
}

pub fn test_file(path: &str, text: &str) -> FileSpec {
    FileSpec {
        path: path.into(),
        digest: Digest::of(text),
        bytes: text.into(),
        mode: 0o640,
        owner: "root".into(),
        group: "adm".into(),
    }
}

fn wanted(names: &[&str]) -> Vec<Wanted> {
    names.iter().map(|&name| Wanted { name: name.into(), by: Origin::Composer }).collect()
}

fn archive(name: &str, kind: ArchiveKind, suite: &str, uri: &str) -> ArchiveSpec {
    let components = vec!["main".into(), "non-free-firmware".into()];
    ArchiveSpec { name: name.into(), kind, suite: suite.into(), components, uri: uri.into() }
}

fn template(name: &str, path: &str) -> TemplateFile {
    let (owner, group) = ("root".into(), "root".into());
    TemplateFile { template: name.into(), path: path.into(), mode: "0644".into(), owner, group }
}

fn service(name: &str, options: Value, units: &[&str], enable: &[&str], files: Vec<TemplateFile>) -> ServiceSpec {
    let options: IndexMap<String, Value> = serde_json::from_value(options).unwrap();
    let strings = |list: &[&str]| list.iter().map(|&s| s.into()).collect();
    let port = |options: &IndexMap<String, Value>| options.get("port").and_then(Value::as_u64);
    let ports = port(&options).map(|port| Port {
        port: port.try_into().unwrap(),
        protocol: Protocol::Tcp,
        reach: Reach::Loopback,
    });
    ServiceSpec {
        name: name.into(),
        brought_by: None,
        runtime: units.iter().filter_map(|u| Some(u.strip_suffix(".service")?.into())).collect(),
        units: strings(units),
        enable: strings(enable),
        files,
        ports: ports.into_iter().collect(),
        health: enable.iter().map(|&unit| Health::Unit(unit.into())).collect(),
        options,
    }
}

fn services() -> Vec<ServiceSpec> {
    let check = ["borg-boot-check.service"];
    let monitor = ["borg-com-monitor.service", "borg-com-monitor-token.service"];
    let gateway = ["borg-gateway.service", "borg-gateway-token.service"];
    let mcp = ["borg-mcp-fs.service", "borg-mcp-fs-token.service"];
    let keys = ["borg-ssh-host-keys.service"];
    let networkd = ["systemd-networkd.service"];
    let certificate = "borg-nginx-certificate.service";
    let nginx = json!({ "http_port": 80, "https_port": 443, "certificate": null, "certificate_key": null,
                        "root": "/srv/www", "server_name": "_" });
    let ports = json!({ "port": 7301, "ports": [{ "device": "/dev/ttyUSB*", "baud": 115_200 }], "files": null });
    let ssh = json!({ "port": 22, "password_authentication": false });
    vec![
        service("boot-check", json!({}), &check, &check, vec![]),
        service(
            "com-monitor",
            ports,
            &monitor,
            &monitor,
            vec![
                template("sysusers.conf.j2", "/usr/lib/sysusers.d/borg-com-monitor.conf"),
                template("com-monitor.json.j2", "/etc/borg/com-monitor.json"),
            ],
        ),
        service(
            "gateway",
            json!({ "port": 7302, "audit": { "max_size": 10_000_000, "keep": 5 } }),
            &gateway,
            &gateway,
            vec![
                template("sysusers.conf.j2", "/usr/lib/sysusers.d/borg-gateway.conf"),
                template("gateway.json.j2", "/etc/borg/gateway.json"),
            ],
        ),
        service(
            "mcp",
            json!({ "port": 7300, "root": "/srv/borg", "writable": false, "max_size": null }),
            &mcp,
            &mcp,
            vec![
                template("tmpfiles.conf.j2", "/usr/lib/tmpfiles.d/borg-mcp-fs.conf"),
                template("sysusers.conf.j2", "/usr/lib/sysusers.d/borg-mcp-fs.conf"),
            ],
        ),
        service("network", json!({}), &[], &networkd, vec![template("wait-online.conf.j2", WAIT_ONLINE)]),
        service(
            "nginx",
            nginx,
            &[certificate],
            &["nginx.service", certificate],
            vec![
                template("certificate.cnf.j2", "/usr/lib/borg/nginx-certificate.cnf"),
                template("nginx.conf.j2", "/etc/nginx/nginx.conf"),
                template("index.html.j2", "/usr/share/borg/www/index.html"),
            ],
        ),
        plugins(),
        service(
            "ssh",
            ssh,
            &keys,
            &["ssh.service", keys[0]],
            vec![template("sshd.conf.j2", "/etc/ssh/sshd_config.d/10-borg.conf")],
        ),
    ]
}

fn plugins() -> ServiceSpec {
    let sockets = ["borg-plugin.socket", "borg-plugin-network.socket"];
    let others = ["borg-plugin@.service", "borg-plugin-network@.service", "borg-plugins.slice"];
    let sandbox = |unit: &str| template("sandbox.conf.j2", &format!("/etc/systemd/system/{unit}.d/10-sandbox.conf"));
    service(
        "plugins",
        json!({ "grants": [{ "plugin": "weather", "permissions": ["network"] }] }),
        &[sockets[0], others[0], sockets[1], others[1], others[2]],
        &sockets,
        vec![
            sandbox(others[0]),
            sandbox(others[1]),
            template("plugins.json.j2", "/etc/borg/plugins.json"),
            template("sysusers.conf.j2", "/usr/lib/sysusers.d/borg-plugins.conf"),
            template("tmpfiles.conf.j2", "/usr/lib/tmpfiles.d/borg-plugins.conf"),
        ],
    )
}
