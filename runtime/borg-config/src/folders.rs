//! Folders that belong to services: what they execute or are configured by. Who may write there could become the service,
//! and who may read there could read its keys, so no service hands them out and no profile may ask for it.

use std::path::Path;

const OWN: [&str; 17] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt/borgos",
    "/proc",
    "/root/.ssh",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/borg",
    "/var/lib/systemd",
    "/var/spool/cron",
];

/// How a folder meets one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meets {
    /// It is that one, or lies in it.
    In(&'static str),
    Holds(&'static str),
}

/// Every one of them.
pub fn own() -> impl Iterator<Item = &'static str> {
    OWN.into_iter()
}

/// The one that `path`, absolute and without `..`, lies in or holds.
pub fn meets(path: &Path) -> Option<Meets> {
    let inside = own().find(|own| path.starts_with(own)).map(Meets::In);
    inside.or_else(|| own().find(|own| Path::new(own).starts_with(path)).map(Meets::Holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_or_holds_a_folder_of_services() {
        let met = |path: &str| meets(Path::new(path));
        for path in ["/opt/borgos/plugins/x", "/etc", "/usr/bin", "/usr/share/doc", "/proc/self/root"] {
            assert!(matches!(met(path), Some(Meets::In(_))), "{path}");
        }
        assert_eq!(met("/opt"), Some(Meets::Holds("/opt/borgos")));
        for path in ["/", "/var", "/var/lib", "/root"] {
            assert!(matches!(met(path), Some(Meets::Holds(_))), "{path}");
        }
        for path in ["/srv/borg", "/opt/data", "/home/me", "/etcetera", "/var/lib/borg-data"] {
            assert_eq!(met(path), None, "{path}");
        }
    }
}
