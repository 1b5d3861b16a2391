//! The boot menu: GRUB's configuration and the kernel's command line.

use crate::assets::Assets;
use crate::error::Result;
use crate::spec::ImageSpec;
use crate::{Error, Kind};

/// The image's name on the medium: live-boot reads `live/<module>.module` for the list of layers.
pub const MODULE: &str = "borg";

/// Kernel parameters of every entry. `panic` reboots instead of offering an initramfs shell.
pub fn cmdline(spec: &ImageSpec) -> String {
    let mut words = vec![
        "boot=live".to_owned(),
        format!("module={MODULE}"),
        "noeject".into(),
        "panic=30".into(),
        "loglevel=5".into(),
    ];
    words.extend(spec.kernel.cmdline.iter().cloned());
    words.join(" ")
}

/// Renders `iso/grub.cfg.j2`.
pub fn grub_cfg(spec: &ImageSpec, assets: &Assets) -> Result<String> {
    let name = "iso/grub.cfg.j2";
    let source = assets
        .get(name)
        .and_then(|b| std::str::from_utf8(b).ok())
        .ok_or_else(|| Error::internal(format!("the asset {name} is missing")))?;
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.add_filter("grub", quote_words);
    env.add_filter("grub_title", quote);
    let context = minijinja::context! { title => title(spec), cmdline => cmdline(spec) };
    env.render_named_str(name, source, context)
        .map_err(|e| Error::new(Kind::Internal, format!("cannot render {name}")).because(&e))
}

/// The title in the menu.
fn title(spec: &ImageSpec) -> String {
    format!("BorgOS {}", spec.profile)
}

/// Quotes for GRUB's script: single quotes keep everything but themselves.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Quotes each of several words.
fn quote_words(text: &str) -> String {
    text.split(' ').map(quote).collect::<Vec<_>>().join(" ")
}
