//! The spec, rendered: a live-build config tree in memory, from which both engines build.
//!
//! Folders of the tree that live-build does not know itself: `config/includes.native`, the few image files that
//! live-build writes in its own way during a build (`/etc/resolv.conf`, apt's sources), for the native engine only.

pub mod accounts;
mod context;
mod image;
mod livebuild;
pub mod locale;
pub mod menu;
pub mod parts;
pub mod quote;
pub mod sysusers;
mod template;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use livebuild::runtime_slots;
pub use locale::locale_command;
pub use parts::{files_part, overlay, packages_part};

use crate::assets::Assets;
use crate::error::Result;
use crate::lock::types::Lock;
use crate::spec::ImageSpec;
use crate::tree::{Node, Tree};

/// Where live-build takes the image's files from.
pub(crate) const INCLUDES: &str = "config/includes.chroot_after_packages";
/// Image files that live-build writes in its own way.
pub(crate) const NATIVE: &str = "config/includes.native";

/// Renders the whole live-build config tree: `lb config && lb build` in it makes the image.
///
/// The runtime's packages are not in it: put their bytes where [`runtime_slots`] says.
pub fn config_tree(spec: &ImageSpec, lock: Option<&Lock>, assets: &Assets) -> Result<Tree> {
    let templates = template::Templates::new()?;
    let mut tree = image::files(spec, assets, &templates)?;
    let context = context::Context::new(spec, lock, &tree.below(INCLUDES))?;
    livebuild::add(&mut tree, &context, assets, &templates)?;
    let menu = menu::grub_cfg(spec, assets, menu::LIVE_BUILD)?;
    tree.insert("config/bootloaders/grub-pc/grub.cfg", Node::file(menu));
    Ok(tree)
}
