//! What the whole tree looks like, what hostile values become, and whether the real tools take it.

mod contracts;
mod hostile;
mod livebuild;
mod nginx;
mod site;

use std::fmt::Write;

use super::testing::{full_spec, test_spec};
use super::{config_tree, overlay};
use crate::assets::Assets;
use crate::profile::check::files::target_fault;
use crate::spec::ImageSpec;
use crate::tree::{Content, Tree};

fn render(spec: &ImageSpec) -> Tree {
    config_tree(spec, None, &Assets::embedded()).unwrap()
}

fn text(tree: &Tree, path: &str) -> String {
    match tree.get(path).map(|node| &node.content) {
        Some(Content::File(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{path} is {other:?}"),
    }
}

#[test]
fn the_tree_is_listed() {
    let mut listing = String::new();
    for (path, node) in render(&test_spec()).iter() {
        let target = if let Content::Symlink(target) = &node.content { format!(" -> {target}") } else { String::new() };
        writeln!(listing, "{:04o} {}:{} {path}{target}", node.mode, node.owner, node.group).unwrap();
    }
    insta::assert_snapshot!(listing);
}

/// Everything that a profile can change in the files that the templates make.
#[test]
fn a_full_profile_is_rendered() {
    let (tree, plain) = (render(&full_spec()), render(&test_spec()));
    let mut files = String::new();
    for (path, node) in tree.iter().filter(|(path, node)| plain.get(path) != Some(node)) {
        let content = match &node.content {
            Content::File(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}\n"),
        };
        write!(files, "==> {path} {:04o} {}:{}\n{content}", node.mode, node.owner, node.group).unwrap();
    }
    insta::assert_snapshot!(files);
}

/// The image of these tests is written by hand; it must not fall behind the services that there are.
#[test]
fn the_test_image_has_every_service_as_the_catalogue_has_it() {
    let catalogue = crate::catalogue::load(&Assets::embedded()).unwrap();
    let spec = test_spec();
    let known = catalogue.0.values().map(|s| (&s.name, &s.units, &s.files));
    let used = spec.services.iter().map(|s| (&s.name, &s.units, &s.files));
    assert_eq!(used.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

/// What the check refuses holds for the image as it is rendered.
#[test]
fn the_check_knows_the_files_of_every_image() {
    let spec = ImageSpec { services: vec![], files: vec![], ..full_spec() };
    let tree = overlay(&render(&spec));
    let files = tree.iter().filter(|(path, node)| node.content != Content::Folder && !path.starts_with("home/"));
    for (path, _) in files.filter(|(path, _)| !path.starts_with("etc/apt/keyrings/")) {
        assert!(target_fault(&format!("/{path}/x")).is_some(), "{path}");
    }
}

#[test]
fn rendering_is_deterministic() {
    assert_eq!(render(&full_spec()).digest(), render(&full_spec()).digest());
}

#[test]
fn the_key_files_read_well() {
    let tree = render(&test_spec());
    let image = "config/includes.chroot_after_packages";
    let mut files = String::new();
    for path in [
        "auto/config",
        "config/package-lists/borg.list.chroot",
        "config/hooks/normal/9090-borg-sysusers.hook.chroot",
        "config/hooks/normal/9110-borg-owners.hook.chroot",
        "config/includes.installer/preseed.cfg",
        &format!("{image}/usr/lib/systemd/system-preset/0-borg.preset"),
        &format!("{image}/usr/lib/borg/boot-check.json"),
        &format!("{image}/etc/borg/com-monitor.json"),
        &format!("{image}/etc/borg/gateway.json"),
        &format!("{image}/etc/borg/plugins.json"),
        &format!("{image}/etc/nginx/nginx.conf"),
        &format!("{image}/etc/systemd/network/80-borg-wired.network"),
        &format!("{image}/etc/systemd/system/borg-mcp-fs.service"),
        &format!("{image}/etc/systemd/system/borg-nginx-certificate.service"),
        "config/includes.native/etc/apt/sources.list.d/debian.sources",
    ] {
        write!(files, "==> {path}\n{}", text(&tree, path)).unwrap();
    }
    insta::assert_snapshot!(files);
}
