//! The boot menu: GRUB's configuration, the same for the native engine's medium and for live-build's.

use crate::assets::Assets;
use crate::error::Result;
use crate::spec::ImageSpec;
use crate::{Error, Kind};

/// What the menu entries start.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Paths on the medium.
    pub kernel: &'a str,
    pub initrd: &'a str,
    /// live-boot's name for the list of layers; none where it finds the only one by itself.
    pub module: Option<&'a str>,
}

/// live-build's names of kernel and initrd, which it replaces by their paths.
pub const LIVE_BUILD: Entry<'static> = Entry { kernel: "@KERNEL_LIVE@", initrd: "@INITRD_LIVE@", module: None };

/// Kernel parameters of every entry. `panic` reboots instead of offering an initramfs shell; the audit subsystem's notices
/// would bury the login prompt below `loglevel` 6.
fn cmdline(spec: &ImageSpec, module: Option<&str>) -> String {
    let mut words = vec!["boot=live".to_owned()];
    words.extend(module.map(|name| format!("module={name}")));
    words.extend(["noeject".into(), "panic=30".into(), "loglevel=5".into()]);
    words.extend(spec.kernel.cmdline.iter().cloned());
    words.join(" ")
}

/// Renders `iso/grub.cfg.j2`.
pub fn grub_cfg(spec: &ImageSpec, assets: &Assets, entry: Entry<'_>) -> Result<String> {
    let name = "iso/grub.cfg.j2";
    let source = assets
        .get(name)
        .and_then(|b| std::str::from_utf8(b).ok())
        .ok_or_else(|| Error::internal(format!("the asset {name} is missing")))?;
    let mut env = minijinja::Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.add_filter("grub", quote_words);
    env.add_filter("grub_title", quote);
    let context = minijinja::context! {
        title => title(spec), cmdline => cmdline(spec, entry.module), kernel => entry.kernel, initrd => entry.initrd,
    };
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
