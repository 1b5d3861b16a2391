//! Packages: named once, and none that ours conflict with.

use super::node::{Faults, Node};
use super::services::Used;

pub fn check(profile: &Node<'_>, services: &[Used<'_>], faults: &mut Faults<'_>) {
    let packages = profile.texts("packages");
    faults.duplicates("the package", packages.iter().map(|(node, name)| (node, *name)));
    let Some(ours) = services.iter().find(|used| !used.service.runtime.is_empty()) else { return };
    for (node, name) in &packages {
        // Debian's borgbackup owns /usr/bin/borg and the Python package `borg`.
        if matches!(*name, "borgbackup" | "borg") {
            let service = &ours.service.name;
            faults.at(
                node,
                format!("`{name}` cannot be installed together with the device's own `borg`"),
                "the name `borg` is also borgbackup's: our package conflicts with it",
                &format!("remove it, or the services that bring our runtime (`{service}` does)"),
            );
        }
    }
}
