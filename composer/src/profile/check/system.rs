//! Time zone, locale, keyboard and image: what the schema's patterns cannot say.

use super::known;
use super::network::is_host_name;
use super::node::{Faults, Node, brief};
use crate::profile::size;
use crate::suggest;

pub fn check(profile: &Node<'_>, faults: &mut Faults<'_>) {
    if let Some((node, zone)) = profile.text("timezone") {
        timezone(&node, zone, faults);
    }
    if let Some((node, name)) = profile.text("locale") {
        locale(&node, name, faults);
    }
    if let Some(keyboard) = profile.get("keyboard") {
        layout(&keyboard, faults);
    }
    if let Some((node, name)) = profile.text("hostname")
        && (name.eq_ignore_ascii_case("localhost") || !is_host_name(name))
    {
        let message = format!("`{}` cannot be the machine's name", brief(name));
        faults.at(&node, message, "means another thing", "choose a name of its own, with a letter in it");
    }
    if let Some((node, text)) = profile.get("image").and_then(|image| image.text("size_limit"))
        && size::parse(text).is_none()
    {
        faults.at(&node, "the size limit is no size", "this size", "write a size such as `2 GB`, `700 MB` or `1 GiB`");
    }
}

fn timezone(node: &Node<'_>, zone: &str, faults: &mut Faults<'_>) {
    if known::time_zones().any(|name| name == zone) {
        return;
    }
    let (label, help) = match known::time_zone_today(zone) {
        Some(today) => ("an old name", format!("write `{today}`")),
        None => ("not in Debian's tzdata", meant(zone, known::time_zones(), "an area and a city: `America/New_York`")),
    };
    faults.at(node, format!("unknown time zone `{}`", brief(zone)), label, &help);
}

fn locale(node: &Node<'_>, name: &str, faults: &mut Faults<'_>) {
    let base = name.replace(".UTF-8", "");
    if matches!(name, "C" | "C.UTF-8" | "POSIX") || known::locales().any(|known| known == base) {
        return;
    }
    let help = meant(&base, known::locales(), "a language and a country: `de_DE.UTF-8`");
    faults.at(node, format!("unknown locale `{}`", brief(name)), "not in Debian's package locales", &help);
}

fn layout(keyboard: &Node<'_>, faults: &mut Faults<'_>) {
    let Some((node, layouts)) = keyboard.text("layout") else { return };
    let all: Vec<&str> = layouts.split(',').collect();
    if let Some(unknown) = all.iter().find(|layout| !known::layouts().any(|known| known == **layout)) {
        let help = meant(unknown, known::layouts(), "a country's letters: `us`, `de`");
        faults.at(&node, format!("unknown keyboard layout `{}`", brief(unknown)), "not in Debian's xkb-data", &help);
    }
    if let Some((node, variants)) = keyboard.text("variant")
        && variants.split(',').count() > all.len()
    {
        faults.at(
            &node,
            "more variants than layouts",
            "this list",
            "write one variant for each layout; it may be empty",
        );
    }
}

/// The way out for a name that is not in a list.
fn meant(name: &str, known: impl Iterator<Item = &'static str>, form: &str) -> String {
    suggest::closest(name, known).map_or_else(|| format!("write {form}"), |close| format!("did you mean `{close}`?"))
}
