//! Every profile below `profiles/`: the invalid ones by the exact report, the valid ones by what is decided.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests make and start what they like")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use borg_compose::assets::Assets;
use borg_compose::error::Error;
use borg_compose::profile::check::Rules;
use borg_compose::profile::types::ServiceEntry;
use borg_compose::profile::{self, docs, schema};
use borg_compose::spec::types::Origin;
use borg_compose::spec::{self, Overrides, Reader};
use borg_compose::{Kind, catalogue};
use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;

/// A small catalogue of the tests' own, so that a change in `units/` changes no snapshot.
fn assets() -> Assets {
    let folders = fs::read_dir("tests/units").unwrap().map(|entry| entry.unwrap().path());
    let file = |folder: PathBuf| {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        (format!("units/{name}/service.yaml"), fs::read(folder.join("service.yaml")).unwrap())
    };
    folders.map(file).collect()
}

fn rules() -> Rules {
    Rules::new(catalogue::load(&assets()).unwrap()).unwrap()
}

fn reader() -> Reader {
    Reader::new(&assets()).unwrap()
}

fn load(path: &Path) -> Result<spec::Loaded, Error> {
    reader().load(path, &Overrides::default())
}

fn rendered(error: &Error) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100).with_links(false);
    let mut text = format!("{error}\n");
    for report in error.span_reports() {
        text.push('\n');
        handler.render_report(&mut text, report.as_ref()).unwrap();
    }
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn profiles(folder: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "yaml"));
    paths.sort();
    paths
}

/// A file that goes when the test ends.
struct Made(PathBuf);

impl Made {
    fn new(path: PathBuf, mode: u32, fill: impl FnOnce(&mut fs::File) -> std::io::Result<()>) -> Self {
        fill(&mut fs::File::create(&path).unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Made(path)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn each_invalid_profile_has_its_report() {
    let folder = Path::new("tests/profiles/invalid");
    let _made = [
        // Git keeps no file of 64 MiB for a test, and no file modes; a sparse file will do.
        Made::new(folder.join("big"), 0o644, |file| file.set_len((64 << 20) + 1)),
        Made::new(folder.join("open-hash"), 0o644, |_| Ok(())),
        Made::new(folder.join("no-hash"), 0o600, |file| file.write_all(b"hunter2\n")),
    ];
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("profiles/invalid");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in profiles("tests/profiles/invalid") {
        let error = load(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Input, "{}", path.display());
        let text = rendered(&error);
        assert!(!text.contains("hunter2") && !text.contains("nter2"), "a secret is shown:\n{text}");
        settings.bind(|| insta::assert_snapshot!(path.file_stem().unwrap().to_string_lossy().into_owned(), text));
    }
}

#[test]
fn each_valid_profile_is_decided() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("profiles/valid");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in profiles("tests/profiles/valid") {
        let loaded = load(&path).unwrap_or_else(|e| panic!("{}", rendered(&e)));
        settings.bind(|| {
            insta::assert_json_snapshot!(path.file_stem().unwrap().to_string_lossy().into_owned(), loaded.spec);
        });
    }
}

#[test]
fn the_smallest_profile_of_the_specification_works_unchanged() {
    let text = "profile: edge-iot\nservices:\n  - nginx\n  - mcp\n  - com-monitor\noffline_model: phi3:instruct\n";
    let rules = rules();
    let checked = profile::check("edge-iot.yaml", text, &rules).unwrap();
    let names: Vec<&str> = checked.profile.services.iter().map(ServiceEntry::name).collect();
    assert_eq!(names, ["nginx", "mcp", "com-monitor"]);
}

/// The catalogue that the program brings says of its options what they name.
#[test]
fn services_get_files_and_folders_that_are_theirs() {
    let rules = Rules::new(catalogue::load(&Assets::embedded()).unwrap()).unwrap();
    let check = |services: &str, files: &str| {
        profile::check("x.yaml", &format!("profile: x\nservices: [{services}]\nfiles: [{files}]\n"), &rules)
    };
    let tls = "nginx: {https_port: 443, certificate: /etc/ssl/a.pem, certificate_key: /etc/ssl/a.key}";
    let (chain, key) = ("{path: /etc/ssl/a.pem, content: x}", "{path: /etc/ssl/a.key, content: x}");
    let data = "{path: /srv/borg/x, content: x}, {path: /srv/www/index.html, content: x}";
    assert!(check("nginx, mcp, com-monitor", data).is_ok());
    assert!(check(tls, &format!("{chain}, {key}")).is_ok());
    for (services, files) in [
        (tls, chain),
        (tls, key),
        ("mcp: {root: /etc/shadow}", ""),
        ("mcp: {root: /proc}", ""),
        ("mcp: {root: /bin}", ""),
        ("mcp", "{path: /srv/borg, content: x}"),
        ("nginx: {root: /etc}", ""),
        ("nginx: {root: /srv/x/y}", "{path: /srv/x, content: x}"),
        ("com-monitor: {ports: [{device: /dev/ttyS0}]}", ""),
    ] {
        let error = check(services, files).unwrap_err();
        assert_eq!(error.span_reports().len(), 1, "{services} {files}: {}", rendered(&error));
    }
}

/// A service that brings another one, which takes nginx's port unless it is told otherwise.
fn with_a_hub() -> Rules {
    let hub = "summary: A hub.\nbrings: [spoke]\npackages: [hub]\n";
    let spoke = "summary: A spoke.\npackages: [wheel]\noptions:\n  port: { type: integer, default: 80, description: p }\n\
                 ports: [{ port: port, reach: loopback }]\n";
    let more = [("hub", hub), ("spoke", spoke)];
    let own = assets();
    let own = own.iter().map(|(path, bytes)| (path.to_owned(), bytes.to_vec()));
    let all = own.chain(more.map(|(name, text)| (format!("units/{name}/service.yaml"), text.into())));
    Rules::new(catalogue::load(&all.collect()).unwrap()).unwrap()
}

fn decided(services: &str, rules: &Rules) -> Result<spec::ImageSpec, Error> {
    let text = format!("profile: x\nservices: [{services}]\n");
    let checked = profile::check("x.yaml", &text, rules)?;
    spec::resolve(&checked, &rules.catalogue, borg_compose::Digest::of("a"), spec::Sources::default())
}

#[test]
fn a_service_comes_with_those_that_it_brings() {
    let rules = with_a_hub();
    let spec = decided("hub", &rules).unwrap();
    assert_eq!(spec.services.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["hub", "network", "spoke"]);
    assert_eq!(spec.brought().collect::<Vec<_>>(), [("spoke", "hub")]);
    assert_eq!(spec.services[2].options["port"], 80);
    let wheel = spec.packages.iter().find(|wanted| wanted.name == "wheel").unwrap();
    assert_eq!(wheel.by, Origin::Service("spoke".into(), Some("/services/0".into())));

    let told = decided("spoke: {port: 81}, nginx, hub", &rules).unwrap();
    assert_eq!(told.brought().count(), 0);
    assert_eq!(told.services.iter().find(|s| s.name == "spoke").unwrap().options["port"], 81);
    let alone = decided("spoke", &rules).unwrap();
    assert_eq!((alone.services.len(), alone.brought().count()), (2, 0));
    // Who brought a service changes no byte.
    assert_eq!(spec.digest(), decided("spoke, hub", &rules).unwrap().digest());
}

#[test]
fn what_is_brought_is_shown_where_it_was_asked_for() {
    let error = decided("nginx, hub", &with_a_hub()).unwrap_err();
    insta::assert_snapshot!(rendered(&error));
    let reference = docs::reference(&with_a_hub().catalogue);
    assert!(reference.contains("A hub. Brings `spoke`; name it only to give options."), "{reference}");
}

/// Options count as there by default, and as missing when they are taken away.
#[test]
fn a_certificate_needs_its_key_and_https() {
    let rules = Rules::new(catalogue::load(&Assets::embedded()).unwrap()).unwrap();
    let files = "files: [{path: /etc/ssl/a.pem, content: x}, {path: /etc/ssl/a.key, content: x}]\n";
    let check = |options: &str| {
        profile::check("x.yaml", &format!("profile: x\nservices: [nginx: {{{options}}}]\n{files}"), &rules)
    };
    assert!(check("certificate: /etc/ssl/a.pem, certificate_key: /etc/ssl/a.key").is_ok());
    assert!(check("https_port: null").is_ok());
    for (options, message) in [
        ("certificate: /etc/ssl/a.pem", "the option `certificate` needs `certificate_key`"),
        ("certificate_key: /etc/ssl/a.key", "the option `certificate_key` needs `certificate`"),
        (
            "https_port: null, certificate: /etc/ssl/a.pem, certificate_key: /etc/ssl/a.key",
            "the option `certificate` needs `https_port`",
        ),
    ] {
        let error = rendered(&check(options).unwrap_err());
        assert!(error.contains(message), "{options}: {error}");
    }
}

#[test]
fn the_group_of_the_tools_is_there_with_them() {
    let rules = Rules::new(catalogue::load(&Assets::embedded()).unwrap()).unwrap();
    let check = |services: &str| {
        let text = format!("profile: x\nservices: [{services}]\nusers: [{{name: ann, groups: [borg]}}]\n");
        profile::check("x.yaml", &text, &rules)
    };
    assert!(check("mcp").is_ok() && check("com-monitor").is_ok());
    let error = rendered(&check("nginx, ssh").unwrap_err());
    assert!(
        error.contains("nothing of the profile makes the group `borg`") && error.contains("add `- mcp`"),
        "{error}"
    );
}

#[test]
fn many_faults_take_no_long_time() {
    let rules = rules();
    let text = format!("profile: x\nservices:\n{}packages:\n{}", "- nginy\n".repeat(40_000), "- jq\n".repeat(40_000));
    let error = profile::check("x.yaml", &text, &rules).unwrap_err();
    assert_eq!(error.to_string(), "the profile x.yaml has 79999 faults; the first 100 are shown");
    assert_eq!(error.span_reports().len(), 100);
}

#[test]
fn moving_a_line_or_a_remark_does_not_change_the_digest() {
    let rules = rules();
    let digest = |text: &str| {
        let checked = profile::check("x.yaml", text, &rules).unwrap();
        spec::resolve(&checked, &rules.catalogue, borg_compose::Digest::of("a"), spec::Sources::default())
            .unwrap()
            .digest()
    };
    let one = digest("profile: x\npackages: [jq, tmux]\nservices: [ssh, mcp]\n");
    assert_eq!(one, digest("services: [mcp, ssh] # all\npackages: [tmux, jq]\nprofile: x\nsuite: trixie\n"));
    assert_ne!(one, digest("profile: x\npackages: [jq]\nservices: [ssh, mcp]\n"));
}

#[test]
fn overrides_count_as_part_of_the_profile() {
    let path = Path::new("tests/profiles/valid/three-keys.yaml");
    let with = Overrides { offline_model: Some("llama3.2:3b".into()), offline_only: Some(true) };
    let loaded = reader().load(path, &with).unwrap();
    assert_eq!(loaded.spec.device.offline_model.as_deref(), Some("llama3.2:3b"));
    assert!(loaded.spec.device.offline_only);
    let with = Overrides { offline_model: Some("$(id)".into()), offline_only: None };
    assert!(reader().load(path, &with).unwrap_err().to_string().contains("BORG_OFFLINE_MODEL"));
}

#[test]
fn a_later_stage_can_point_at_a_line() {
    let loaded = load(Path::new("tests/profiles/valid/full.yaml")).unwrap();
    let report = loaded.view.report_at("/packages/1", "there is no package `jq`", Some("did you mean `jqp`?"));
    let error = Error::input("x").reports(vec![report]);
    insta::assert_snapshot!(rendered(&error));
}

#[test]
fn the_schema_and_the_reference_are_as_they_were() {
    let rules = rules();
    insta::assert_json_snapshot!("schema", schema::schema(&rules.catalogue));
    insta::assert_snapshot!("reference", docs::reference(&rules.catalogue));
}

/// Values with the profile's own keys, so that the rules are reached, and contents that nobody expects.
fn profile_like() -> impl Strategy<Value = serde_json::Value> {
    let word = prop::sample::select(vec![
        "nginx",
        "ssh",
        "network",
        "/etc/a",
        "/",
        "..",
        "",
        "a b",
        "é",
        "$(x)",
        "http://a:b@c/d",
        "10.0.0.1/8",
        "$6$a$b",
        "root",
        "ssh-ed25519 AAAA",
        "2 GB",
        "0644",
        "trixie",
        "init=x",
        "Europe/Berlin",
        "\n",
        "\u{0}",
        "\u{1b}[2J",
        "x.yaml",
        "borg",
    ]);
    let key = prop::sample::select(vec![
        "profile",
        "services",
        "suite",
        "hostname",
        "timezone",
        "network",
        "packages",
        "users",
        "files",
        "kernel",
        "mirrors",
        "repositories",
        "image",
        "path",
        "content",
        "source",
        "mode",
        "name",
        "uid",
        "groups",
        "ssh_keys",
        "password_hash",
        "password_hash_file",
        "sudo",
        "cmdline",
        "flavour",
        "uri",
        "key",
        "components",
        "size_limit",
        "nginx",
        "http_port",
        "ssh",
        "port",
        "com-monitor",
        "ports",
        "device",
        "addresses",
        "gateway",
        "dns",
        "time",
        "<<",
        "a/b~c",
        "",
    ]);
    let leaf = prop_oneof![
        word.prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        (0..100u16).prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| serde_json::Value::from(serde_json::Map::from_iter(map))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_check_never_panics(value in profile_like()) {
        let rules = rules();
        if let Err(error) = profile::check("x.yaml", &value.to_string(), &rules) {
            prop_assert_eq!(error.kind(), Kind::Input);
            let text = rendered(&error);
            let leaks = text.contains('\u{1b}') || text.contains("a:b@");
            prop_assert!(!leaks, "{}", text);
        }
    }

    #[test]
    fn the_check_never_panics_on_broken_text(text in "(profile|users|files|services|password|- |  |: |\\{|\\}|\\[|\\]|\n|\"|'|é|x|,|#){0,40}") {
        let rules = rules();
        if let Err(error) = profile::check("x.yaml", &text, &rules) {
            prop_assert_eq!(error.kind(), Kind::Input);
            rendered(&error);
        }
    }
}
