//! The boot menu of the native engine's medium.

use crate::assets::Assets;
use crate::error::Result;
use crate::render::menu;
use crate::spec::ImageSpec;

/// The image's name on the medium: live-boot reads `live/<module>.module` for the list of layers.
pub const MODULE: &str = "borg";

const ENTRY: menu::Entry<'static> =
    menu::Entry { kernel: "/live/vmlinuz", initrd: "/live/initrd.img", module: Some(MODULE) };

/// GRUB's configuration.
pub fn grub_cfg(spec: &ImageSpec, assets: &Assets) -> Result<String> {
    menu::grub_cfg(spec, assets, ENTRY)
}
