//! What dpkg says is installed, and how it differs from the lock.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::archive::control::paragraphs;
use crate::engine::live_build::job::Installed;

/// The packages of a dpkg status file that are not removed, sorted. One that is not properly installed says so in its version.
pub fn installed(status: &str) -> Vec<Installed> {
    let all = paragraphs(status);
    let one = |p: &crate::archive::control::Paragraph| {
        let state = p.get("Status")?.rsplit(' ').next()?;
        if matches!(state, "not-installed" | "config-files") {
            return None;
        }
        let field = |name| p.get(name).unwrap_or_default().to_owned();
        let note = if state == "installed" { String::new() } else { format!(" ({state})") };
        Some(Installed {
            name: field("Package"),
            version: field("Version") + &note,
            architecture: field("Architecture"),
        })
    };
    let mut found: Vec<Installed> = all.iter().filter_map(one).collect();
    found.sort();
    found
}

/// A dpkg status file that says these packages are installed.
pub fn write(packages: &[Installed]) -> String {
    let mut text = String::new();
    for package in packages {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "Package: {}\nStatus: install ok installed\nMaintainer: none\nArchitecture: {}\nVersion: {}\nDescription: unpacked\n\n",
            package.name, package.architecture, package.version
        );
    }
    text
}

/// One line for each package that is not the same in both, in words.
pub fn differences(locked: &[Installed], found: &[Installed]) -> Vec<String> {
    let by_name = |all: &[Installed]| -> BTreeMap<String, String> {
        all.iter().map(|p| (p.name.clone(), p.version.clone())).collect()
    };
    let (locked, found) = (by_name(locked), by_name(found));
    let missing = locked
        .iter()
        .filter(|(name, _)| !found.contains_key(*name))
        .map(|(name, version)| format!("{name} {version} is missing"));
    let others = found.iter().filter_map(|(name, version)| match locked.get(name) {
        None => Some(format!("{name} {version} is not in the lock")),
        Some(expected) if expected != version => Some(format!("{name} is {version}, the lock has {expected}")),
        Some(_) => None,
    });
    missing.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Installed {
        Installed { name: name.into(), version: version.into(), architecture: "amd64".into() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let all = [package("a", "1:2-3"), package("b", "2")];
        assert_eq!(installed(&write(&all)), all);
    }

    #[test]
    fn removed_packages_do_not_count_and_broken_ones_do() {
        let text = "Package: a\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: b\nStatus: install ok half-configured\nVersion: 1\nArchitecture: amd64\n";
        assert_eq!(installed(text), [package("b", "1 (half-configured)")]);
    }

    #[test]
    fn differences_are_named() {
        let locked = [package("a", "1"), package("b", "1"), package("c", "1")];
        let found = [package("b", "2"), package("c", "1"), package("d", "1")];
        assert_eq!(
            differences(&locked, &found),
            ["a 1 is missing", "b is 2, the lock has 1", "d 1 is not in the lock"]
        );
        assert_eq!(differences(&locked, &locked), [""; 0]);
    }
}
