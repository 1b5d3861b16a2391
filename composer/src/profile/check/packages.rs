//! Packages: named once, and none that ours conflict with.

use super::node::{Faults, Node};
use super::services::Used;

/// Whether a package is live-config: with `boot=live` it logs a user in on every console.
pub fn is_live_config(name: &str) -> bool {
    name == "live-config" || name.starts_with("live-config-")
}

pub fn check(profile: &Node<'_>, services: &[Used<'_>], faults: &mut Faults<'_>) {
    let packages = profile.texts("packages");
    faults.duplicates("the package", packages.iter().map(|(node, name)| (node, *name)));
    for (node, name) in &packages {
        if is_live_config(name) {
            let message = format!("`{name}` makes a user with a known password and logs it in");
            faults.at(node, message, "undoes what the image promises", "remove it; give people to `users:`");
        }
    }
    let ours: Vec<&Used<'_>> = services.iter().filter(|used| !used.service.runtime.is_empty()).collect();
    if ours.is_empty() {
        return;
    }
    // What is part of every image cannot be removed.
    let help = if ours.iter().any(|used| used.pointer.is_none()) {
        "remove it: every image brings a package of our runtime".to_owned()
    } else {
        let names: Vec<String> = ours.iter().map(|used| format!("`{}`", used.service.name)).collect();
        format!("remove it, or the services that bring our runtime: {}", names.join(", "))
    };
    for (node, name) in &packages {
        // Debian's borgbackup owns /usr/bin/borg and the Python package `borg`.
        if matches!(*name, "borgbackup" | "borg") {
            let message = format!("`{name}` cannot be installed together with the device's own `borg`");
            faults.at(node, message, "the name `borg` is also borgbackup's: our package conflicts with it", &help);
        }
    }
}
