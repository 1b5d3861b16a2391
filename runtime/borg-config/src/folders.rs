//! Folders that belong to services: what they execute or are configured by. Who may write there could become the service,
//! and who may read there could read its keys, so no service hands them out and no profile may ask for it.

use std::path::Path;

const OWN: [&str; 19] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt/borgos",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/borg",
    "/var/lib/dpkg",
    "/var/lib/private",
    "/var/lib/systemd",
    "/var/spool/cron",
];

/// Where the homes of people are.
const HOMES: &str = "/home";

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

/// Whether `path`, absolute and without `..`, is a home, holds one, or lies where a home keeps what a login or a session runs:
/// whoever writes there could become that person.
pub fn meets_home(path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(HOMES) else { return Path::new(HOMES).starts_with(path) };
    let inside = below.components().nth(1).map(|name| name.as_os_str().as_encoded_bytes());
    inside.is_none_or(|name| name.starts_with(b".") || name == b"bin")
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
        assert_eq!(met("/root/.config/systemd"), Some(Meets::In("/root")));
        for path in ["/", "/var", "/var/lib"] {
            assert!(matches!(met(path), Some(Meets::Holds(_))), "{path}");
        }
        for path in ["/srv/borg", "/opt/data", "/home/me", "/etcetera", "/var/lib/borg-data"] {
            assert_eq!(met(path), None, "{path}");
        }
    }

    #[test]
    fn homes_are_their_people_s() {
        for path in ["/", "/home", "/home/me", "/home/me/.ssh", "/home/me/.config/systemd/user", "/home/me/bin"] {
            assert!(meets_home(Path::new(path)), "{path}");
        }
        for path in ["/home/me/files", "/home/me/files/.git", "/homes", "/srv/home"] {
            assert!(!meets_home(Path::new(path)), "{path}");
        }
    }
}
