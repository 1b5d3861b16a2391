//! live-build's side of the tree: its options, package lists, archives and hooks.

use super::context::{Context, Source};
use super::image::add_templates;
use super::template::Templates;
use crate::Digest;
use crate::assets::Assets;
use crate::error::Result;
use crate::lock::types::Lock;
use crate::tree::{Node, Tree};

/// The folders of `templates/` that are rendered with the live-build context.
const FOLDERS: [&str; 6] = [
    "auto",
    "config/archives",
    "config/hooks",
    "config/includes.binary",
    "config/includes.installer",
    "config/package-lists",
];

/// Adds everything but the image's files.
pub fn add(tree: &mut Tree, context: &Context, assets: &Assets, templates: &Templates) -> Result<()> {
    for folder in FOLDERS {
        add_templates(tree, folder, assets, templates, &context.value)?;
    }
    for (source, extension, key) in &context.extra {
        let name = &source.file;
        tree.insert(format!("config/archives/{name}.key.chroot"), Node::file(key.clone()));
        tree.insert(format!("config/archives/{name}.list.chroot"), Node::file(one_line(source, None)));
        let keyring = format!("/etc/apt/keyrings/{name}.{extension}");
        tree.insert(format!("config/archives/{name}.list.binary"), Node::file(one_line(source, Some(&keyring))));
    }
    Ok(())
}

/// apt's one-line form. While live-build works, the key lies among apt's trusted ones and is removed at the end.
fn one_line(source: &Source, keyring: Option<&str>) -> String {
    let option = keyring.map_or_else(String::new, |path| format!("[signed-by={path}] "));
    format!("deb {option}{} {} {}\n", source.uri, source.suites.join(" "), source.components.join(" "))
}

/// Where the runtime's packages go in the tree, and the digests of their bytes.
pub fn runtime_slots(lock: &Lock) -> Vec<(String, Digest)> {
    let runtime = lock.packages.iter().filter(|package| package.archive == "runtime");
    // live-build takes only names that end in `_<architecture>.deb`.
    let slot = |p: &crate::lock::types::LockedPackage| {
        let version = p.version.split_once(':').map_or(p.version.as_str(), |(_epoch, version)| version);
        format!("config/packages.chroot/{}_{version}_{}.deb", p.name, p.architecture)
    };
    runtime.map(|package| (slot(package), package.sha256)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::types::LockedPackage;
    use crate::render::config_tree;
    use crate::render::testing::test_spec;
    use crate::tree::Content;

    fn package(name: &str, version: &str, archive: &str) -> LockedPackage {
        LockedPackage {
            group: None,
            name: name.into(),
            version: version.into(),
            architecture: "amd64".into(),
            layer: None,
            archive: archive.into(),
            filename: "pool/x.deb".into(),
            size: 1,
            sha256: Digest::of(name),
        }
    }

    fn lock() -> Lock {
        Lock {
            format: 1,
            spec: Digest::of(""),
            parts: std::collections::BTreeMap::new(),
            epoch: 0,
            outputs: None,
            ids: crate::lock::types::Ids::default(),
            archives: vec![],
            packages: vec![
                package("borg-mcp-fs", "0.1.0-1", "runtime"),
                package("openssh-server", "1:10.0p1-7", "debian"),
            ],
            tools: vec![],
            sysroot: vec![],
        }
    }

    #[test]
    fn the_runtime_has_its_places() {
        let slots = runtime_slots(&lock());
        assert_eq!(slots, [("config/packages.chroot/borg-mcp-fs_0.1.0-1_amd64.deb".into(), Digest::of("borg-mcp-fs"))]);
    }

    #[test]
    fn a_lock_pins_versions() {
        let tree = config_tree(&test_spec(), Some(&lock()), &Assets::embedded()).unwrap();
        let pins = tree.get("config/archives/borg.pref.chroot").map(|node| &node.content);
        let Some(Content::File(bytes)) = pins else { panic!("{pins:?}") };
        let paragraph = "Package: openssh-server\nPin: version 1:10.0p1-7\nPin-Priority: 990\n\n";
        assert!(std::str::from_utf8(bytes).unwrap().ends_with(paragraph));
    }
}
