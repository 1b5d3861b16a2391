//! The image's files by the layer of the native engine that they belong to.

use super::{INCLUDES, NATIVE};
use crate::spec::ImageSpec;
use crate::tree::Tree;

/// What `systemctl preset-all`, systemd-sysusers and systemd-tmpfiles read: it must lie below the packages layer's top.
const PACKAGE_FOLDERS: [&str; 4] =
    ["etc/systemd/system/", "usr/lib/systemd/system-preset/", "usr/lib/sysusers.d/", "usr/lib/tmpfiles.d/"];

/// The image's files, with paths from its root and owners by name.
#[must_use]
pub fn overlay(tree: &Tree) -> Tree {
    let mut files = tree.below(NATIVE);
    files.extend(tree.below(INCLUDES).iter().map(|(path, node)| (path.to_owned(), node.clone())));
    files
}

/// The part of the overlay that is laid over the packages before presets are applied: the catalogue's units and the
/// policy that enables them. A unit of the catalogue that the profile replaces by a file of its own is here too.
#[must_use]
pub fn packages_part(tree: &Tree, spec: &ImageSpec) -> Tree {
    overlay(tree).filtered(|path| is_unit(path) && (is_from_catalogue(path, spec) || !is_from_profile(path, spec)))
}

/// The rest of the overlay, and every file of the profile wherever it lies: a change of these remakes the files layer.
#[must_use]
pub fn files_part(tree: &Tree, spec: &ImageSpec) -> Tree {
    overlay(tree).filtered(|path| !is_unit(path) || is_from_profile(path, spec))
}

fn is_unit(path: &str) -> bool {
    PACKAGE_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

fn is_from_profile(path: &str, spec: &ImageSpec) -> bool {
    spec.files.iter().any(|file| file.path.strip_prefix('/') == Some(path))
}

/// True of what the services bring, be it replaced by a file of the profile's.
pub(super) fn is_from_catalogue(path: &str, spec: &ImageSpec) -> bool {
    let files = spec.services.iter().flat_map(|service| &service.files);
    let mut units = spec.services.iter().flat_map(|service| &service.units);
    let unit = path.strip_prefix("etc/systemd/system/");
    units.any(|name| Some(name.as_str()) == unit)
        || files.into_iter().any(|file| file.path.strip_prefix('/') == Some(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Assets;
    use crate::render::config_tree;
    use crate::render::testing::{test_file, test_spec};

    #[test]
    fn each_file_is_in_its_part() {
        let mut spec = test_spec();
        spec.files.push(test_file("/etc/systemd/system/mine.service", "[Service]\nExecStart=/bin/true\n"));
        spec.files.push(test_file("/etc/systemd/system/borg-mcp-fs.service", "replaced"));
        let tree = config_tree(&spec, None, &Assets::embedded()).unwrap();
        let (packages, files) = (packages_part(&tree, &spec), files_part(&tree, &spec));
        assert!(packages.get("usr/lib/systemd/system-preset/0-borg.preset").is_some());
        assert!(packages.get("etc/systemd/system/borg-com-monitor.service").is_some());
        assert!(packages.get("etc/systemd/system/mine.service").is_none());
        assert!(files.get("etc/systemd/system/mine.service").is_some());
        let replaced = "etc/systemd/system/borg-mcp-fs.service";
        assert_eq!(packages.get(replaced), files.get(replaced));
        assert!(files.get("etc/hostname").is_some() && packages.get("etc/hostname").is_none());
        assert!(files.get("etc/resolv.conf").is_some());
        let both: std::collections::BTreeSet<&str> =
            packages.iter().chain(files.iter()).map(|(path, _)| path).collect();
        assert_eq!(both.len(), overlay(&tree).iter().count());
    }

    #[test]
    fn images_that_differ_by_their_names_share_the_packages_layer() {
        let part = |spec: &ImageSpec| packages_part(&config_tree(spec, None, &Assets::embedded()).unwrap(), spec);
        let first = test_spec();
        let mut other = test_spec();
        other.hostname = "other".into();
        other.profile = "another".into();
        other.device.profile = "another".into();
        other.image.label = "ANOTHER".into();
        assert_eq!(part(&first), part(&other));
    }
}
