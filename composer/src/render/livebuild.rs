//! live-build's side of the tree: its options, package lists, archives and hooks.

use super::context::{Context, Source};
use super::image::add_templates;
use super::template::Templates;
use crate::Digest;
use crate::assets::Assets;
use crate::error::Result;
use crate::lock::types::Lock;
use crate::spec::ImageSpec;
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

/// The kernel's command line of the live system, the same from both engines.
pub fn kernel_cmdline(spec: &ImageSpec) -> Vec<String> {
    // `panic=`: the initramfs restarts the machine instead of offering a shell to whoever sits there.
    // The last console is the one that /dev/console means; a login prompt appears on both.
    let own = ["boot=live", "panic=30", "console=ttyS0,115200n8", "console=tty0"];
    own.iter().map(|&word| word.to_owned()).chain(spec.kernel.cmdline.iter().cloned()).collect()
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
