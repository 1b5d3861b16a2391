//! The image's own files: the base system's settings, the services', the users' homes, the profile's.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Serde;
use minijinja::{Value, context};

use super::template::Templates;
use super::{INCLUDES, NATIVE, accounts, parts};
use crate::assets::Assets;
use crate::catalogue::types::{Protocol, Reach, TemplateFile};
use crate::error::{Error, Result};
use crate::spec::ImageSpec;
use crate::spec::types::{ArchiveKind, Password, ServiceSpec};
use crate::tree::{Content, Node, Tree};

/// Renders everything below the includes; what comes later wins, and the profile comes last.
pub fn files(spec: &ImageSpec, assets: &Assets, templates: &Templates) -> Result<Tree> {
    let mut tree = Tree::default();
    let context = context(spec)?;
    for folder in [INCLUDES, NATIVE] {
        add_templates(&mut tree, folder, assets, templates, &context)?;
    }
    for service in &spec.services {
        add_service(&mut tree, service, assets, templates, &context)?;
    }
    add_links(&mut tree, spec);
    add_device(&mut tree, spec)?;
    add_keys(&mut tree, spec)?;
    for (path, node) in accounts::homes(&spec.users, &spec.files).iter() {
        tree.insert(format!("{INCLUDES}/{path}"), node.clone());
    }
    for file in &spec.files {
        let node = Node::file(file.bytes.clone()).mode(file.mode).owned(&file.owner, &file.group);
        tree.insert(format!("{INCLUDES}/{}", relative(&file.path)?), node);
    }
    no_file_is_a_folder(&parts::overlay(&tree))?;
    Ok(tree)
}

/// The profile's files meet those that services and the composer write, of which the check knows those of every image.
fn no_file_is_a_folder(image: &Tree) -> Result<()> {
    for (path, _) in image.iter() {
        let mut parents = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        if let Some(file) = parents.find(|p| image.get(p).is_some_and(|n| n.content != Content::Folder)) {
            let message = format!("`/{file}` is a file of the image, and `/{path}` needs it as a folder");
            return Err(Error::input(message).help("give the file of the profile another place"));
        }
    }
    Ok(())
}

/// Adds the assets below `templates/<folder>` under the same paths: `*.j2` rendered, the others as they are.
///
/// A template that renders to nothing makes no file; a text that starts with `#!` is a program.
pub fn add_templates(
    tree: &mut Tree,
    folder: &str,
    assets: &Assets,
    templates: &Templates,
    context: &Value,
) -> Result<()> {
    let prefix = format!("templates/{folder}/");
    for (path, bytes) in assets.below(&prefix) {
        let place = path.trim_start_matches("templates/");
        let Some(place) = place.strip_suffix(".j2") else {
            tree.insert(place, text_node(bytes));
            continue;
        };
        let text = templates.render(assets, path, context)?;
        if !text.trim().is_empty() {
            tree.insert(place, text_node(text.as_bytes()));
        }
    }
    Ok(())
}

fn text_node(bytes: &[u8]) -> Node {
    if bytes.starts_with(b"#!") { Node::program(bytes) } else { Node::file(bytes) }
}

fn context(spec: &ImageSpec) -> Result<Value> {
    let enable: BTreeSet<&str> = spec.services.iter().flat_map(|s| s.enable.iter().map(String::as_str)).collect();
    let credential_users: Vec<&str> =
        spec.users.iter().filter(|u| u.password == Password::Credential).map(|u| u.name.as_str()).collect();
    // What services know of each other: who is there, with which options.
    let services: BTreeMap<&str, _> = spec.services.iter().map(|s| (s.name.as_str(), &s.options)).collect();
    let sources = super::context::sources(spec)?;
    Ok(context! {
        spec => Serde(spec), enable => Serde(enable), services => Serde(services),
        credential_users => Serde(credential_users), sources => Serde(sources),
    })
}

fn add_service(
    tree: &mut Tree,
    service: &ServiceSpec,
    assets: &Assets,
    templates: &Templates,
    base: &Value,
) -> Result<()> {
    let context = context! { options => Serde(&service.options), ..base.clone() };
    for unit in &service.units {
        let text = templates.render(assets, &format!("units/{}/{unit}", service.name), &context)?;
        // A unit that the options make needless renders to nothing.
        if !text.trim().is_empty() {
            tree.insert(format!("{INCLUDES}/etc/systemd/system/{unit}"), Node::file(text));
        }
    }
    for file in &service.files {
        let text = templates.render(assets, &format!("units/{}/{}", service.name, file.template), &context)?;
        let node = Node::file(text).mode(mode(service, file)?).owned(&file.owner, &file.group);
        tree.insert(format!("{INCLUDES}/{}", relative(&file.path)?), node);
    }
    Ok(())
}

fn mode(service: &ServiceSpec, file: &TemplateFile) -> Result<u32> {
    u32::from_str_radix(&file.mode, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| {
        Error::input(format!("units/{}/service.yaml: `{}` is no mode for {}", service.name, file.mode, file.path))
            .help("write it in octal and quoted: \"0644\"")
    })
}

fn add_links(tree: &mut Tree, spec: &ImageSpec) {
    let link = |target: &str| Node::symlink(target);
    tree.insert(format!("{INCLUDES}/etc/localtime"), link(&format!("/usr/share/zoneinfo/{}", spec.timezone)));
    tree.insert(format!("{INCLUDES}/etc/default/locale"), link("../locale.conf"));
    // live-build keeps the build host's resolv.conf there while it works; its hook does the same at the end.
    tree.insert(format!("{NATIVE}/etc/resolv.conf"), link("../run/systemd/resolve/resolv.conf"));
    // systemd 257 lets sshd listen on vsock and a local socket by itself, without a port that a service declares.
    tree.insert(format!("{INCLUDES}/etc/systemd/system-generators/systemd-ssh-generator"), link("/dev/null"));
    // A script in /etc/init.d without a unit would be started without being asked for.
    tree.insert(format!("{INCLUDES}/etc/systemd/system-generators/systemd-sysv-generator"), link("/dev/null"));
    // Present but empty: systemd makes an id at boot, and does not take the boot for a first one (machine-id(5)).
    tree.insert(format!("{INCLUDES}/etc/machine-id"), Node::file("").mode(0o444));
}

/// What the runtime reads on the device.
fn add_device(tree: &mut Tree, spec: &ImageSpec) -> Result<()> {
    let services = spec.services.iter().map(service_check).collect();
    let check = borg_config::BootCheck { services };
    for (path, json) in [
        (borg_config::DEVICE_PATH, serde_json::to_string_pretty(&spec.device)),
        (borg_config::BOOT_CHECK_PATH, serde_json::to_string_pretty(&check)),
    ] {
        let json = json.map_err(|e| Error::internal(format!("cannot write {path}")).because(&e))?;
        tree.insert(format!("{INCLUDES}/{}", relative(path)?), Node::file(json + "\n"));
    }
    Ok(())
}

fn service_check(service: &ServiceSpec) -> borg_config::ServiceCheck {
    let ports = service.ports.iter().map(|port| borg_config::PortCheck {
        port: port.port,
        protocol: match port.protocol {
            Protocol::Tcp => "tcp".into(),
            Protocol::Udp => "udp".into(),
        },
        reach: match port.reach {
            Reach::Public => "public".into(),
            Reach::Loopback => "loopback".into(),
            Reach::Client => "client".into(),
        },
    });
    borg_config::ServiceCheck { name: service.name.clone(), health: service.health.clone(), ports: ports.collect() }
}

/// The keys of the extra repositories, readable by all: they are public.
fn add_keys(tree: &mut Tree, spec: &ImageSpec) -> Result<()> {
    for archive in &spec.archives {
        if let ArchiveKind::Extra { key } = &archive.kind {
            let (extension, bytes) = super::context::key_bytes(&archive.name, key)?;
            tree.insert(format!("{INCLUDES}/etc/apt/keyrings/{}.{extension}", archive.name), Node::file(bytes));
        }
    }
    Ok(())
}

/// An absolute path of the image as a tree path; what could leave the tree is refused.
fn relative(path: &str) -> Result<&str> {
    let inside = path.strip_prefix('/').filter(|p| p.split('/').all(|part| !matches!(part, "" | "." | "..")));
    inside.ok_or_else(|| {
        Error::input(format!("`{path}` is no place for a file of the image"))
            .help("write an absolute path without `.`, `..` and doubled slashes")
    })
}
