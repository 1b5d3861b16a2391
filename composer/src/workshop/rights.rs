//! What a build needs of its user, the kernel's settings and the container around it, and the way out where it lacks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User, getegid, geteuid};

use super::subids;

/// What is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    pub what: String,
    pub mend: String,
}

impl Lack {
    fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Lack { what: what.into(), mend: mend.into() }
    }
}

/// One of the two maps of a user namespace: the tool that writes it, and what it is told after the process's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    pub tool: PathBuf,
    pub words: Vec<String>,
}

/// An ordinary user and what the host gives them.
#[derive(Debug, Clone)]
pub struct Person {
    /// The login name, or the number where there is none.
    name: String,
    uid: Uid,
    gid: Gid,
    subuid: String,
    subgid: String,
    newuidmap: Option<PathBuf>,
    newgidmap: Option<PathBuf>,
    /// No program that this process starts gains privileges, set-user-id or not.
    no_new_privileges: bool,
}

impl Person {
    pub fn of_process() -> Self {
        let uid = geteuid();
        let named = User::from_uid(uid).ok().flatten().map(|user| user.name);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Person {
            name: named.unwrap_or_else(|| uid.to_string()),
            uid,
            gid: getegid(),
            subuid: fs::read_to_string("/etc/subuid").unwrap_or_default(),
            subgid: fs::read_to_string("/etc/subgid").unwrap_or_default(),
            newuidmap: on_path("newuidmap"),
            newgidmap: on_path("newgidmap"),
            no_new_privileges: status.lines().any(|l| l.split_whitespace().eq(["NoNewPrivs:", "1"])),
        }
    }

    /// The maps of users and groups, or all that they lack.
    pub fn maps(&self) -> Result<[Map; 2], Vec<Lack>> {
        let lacks: Vec<Lack> = self.tools().into_iter().chain(self.ids()).collect();
        let (true, Some(users), Some(groups)) = (lacks.is_empty(), &self.newuidmap, &self.newgidmap) else {
            return Err(lacks);
        };
        let map = |tool: &PathBuf, own: u32, text: &str| Map {
            tool: tool.clone(),
            words: subids::map(own, &subids::of(text, &self.name, self.uid.as_raw(), own)),
        };
        Ok([map(users, self.uid.as_raw(), &self.subuid), map(groups, self.gid.as_raw(), &self.subgid)])
    }

    /// What keeps newuidmap and newgidmap from their work.
    pub fn tools(&self) -> Option<Lack> {
        let missing: Vec<&str> = [("newuidmap", &self.newuidmap), ("newgidmap", &self.newgidmap)]
            .into_iter()
            .filter_map(|(name, found)| found.is_none().then_some(name))
            .collect();
        if !missing.is_empty() {
            let mend = "install the package uidmap (`sudo apt install uidmap`; elsewhere it may be shadow or shadow-utils), or run as root";
            return Some(Lack::new(format!("{} not on PATH", are(&missing)), mend));
        }
        self.no_new_privileges.then(|| {
            Lack::new(
                "newuidmap gains no privileges here: no_new_privs is set",
                "start the container without --security-opt no-new-privileges, or the service without NoNewPrivileges=yes",
            )
        })
    }

    /// What the user's ids lack.
    pub fn ids(&self) -> Option<Lack> {
        let uid = self.uid.as_raw();
        let files = [("/etc/subuid", &self.subuid, uid), ("/etc/subgid", &self.subgid, self.gid.as_raw())];
        let short: Vec<(&str, u32)> = files
            .iter()
            .map(|(path, text, own)| (*path, subids::count(&subids::of(text, &self.name, uid, *own))))
            .filter(|(_, count)| *count < subids::NEEDED)
            .collect();
        let what: Vec<String> =
            short.iter().map(|(path, count)| format!("{path} gives {} {count} ids", self.name)).collect();
        (!what.is_empty()).then(|| {
            Lack::new(
                format!(
                    "{}: a build needs {}, so the user's own id alone is not enough",
                    what.join(", "),
                    subids::NEEDED
                ),
                format!(
                    "`sudo usermod --add-subuids {} --add-subgids {} {}`, or run as root",
                    subids::free(&self.subuid),
                    subids::free(&self.subgid),
                    self.name
                ),
            )
        })
    }
}

fn are(names: &[&str]) -> String {
    format!("{} {}", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let runs = |file: &PathBuf| fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program)).find(runs)
}

/// What decides whether namespaces and mounts are allowed.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    root: bool,
    container: bool,
    /// `kernel.unprivileged_userns_clone`, of Debian's kernels up to 12.
    clone: Option<u32>,
    /// `user.max_user_namespaces`.
    most: Option<u32>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, of Ubuntu's kernels.
    apparmor: Option<u32>,
}

impl Ground {
    pub fn here() -> Self {
        let setting = |name: &str| fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok();
        let marks = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];
        Ground {
            root: geteuid().is_root(),
            container: marks.iter().any(|mark| Path::new(mark).exists()) || std::env::var_os("container").is_some(),
            clone: setting("kernel/unprivileged_userns_clone"),
            most: setting("user/max_user_namespaces"),
            apparmor: setting("kernel/apparmor_restrict_unprivileged_userns"),
        }
    }

    /// What to do when the kernel refused a namespace or a mount.
    pub fn way_out(&self) -> String {
        let settings = [
            (self.clone == Some(0), "kernel.unprivileged_userns_clone", 1),
            (self.most == Some(0), "user.max_user_namespaces", 15_000),
            (self.apparmor.is_some_and(|value| value != 0), "kernel.apparmor_restrict_unprivileged_userns", 0),
        ];
        let mut ways: Vec<String> = settings
            .iter()
            .filter(|(forbids, ..)| *forbids && !self.root)
            .map(|(_, name, value)| format!("the setting {name} forbids it: `sudo sysctl {name}={value}`"))
            .collect();
        if self.container {
            ways.push(self.flags().to_owned());
        } else if self.root {
            ways.push("root here lacks CAP_SYS_ADMIN: run as the host's own root".into());
        } else if ways.is_empty() {
            ways.push("a security module of the host may forbid it: run as root".into());
        } else {
            ways.push("or run as root".into());
        }
        ways.join("; ")
    }

    fn flags(&self) -> &'static str {
        if self.root {
            "start the container with --privileged, or with --cap-add SYS_ADMIN --security-opt seccomp=unconfined \
             --security-opt apparmor=unconfined"
        } else {
            "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
             --security-opt systempaths=unconfined (Podman: --security-opt unmask=ALL in place of the last), and with \
             --userns=host if its own ids are fewer than 65536"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Person {
        Person {
            name: "alice".into(),
            uid: Uid::from_raw(1000),
            gid: Gid::from_raw(100),
            subuid: "alice:100000:65536\n".into(),
            subgid: "alice:200000:65536\n".into(),
            newuidmap: Some("/usr/bin/newuidmap".into()),
            newgidmap: Some("/usr/bin/newgidmap".into()),
            no_new_privileges: false,
        }
    }

    #[test]
    fn the_users_own_ids_become_root() {
        let [users, groups] = alice().maps().unwrap();
        assert_eq!(users.words.join(" "), "0 1000 1 1 100000 65536");
        assert_eq!(groups.words.join(" "), "0 100 1 1 200000 65536");
        assert!(groups.tool.ends_with("newgidmap"));
    }

    #[test]
    fn everything_that_lacks_is_named_with_its_way_out() {
        let bare = Person { newuidmap: None, subuid: String::new(), subgid: "bob:100000:65536".into(), ..alice() };
        let lacks = bare.maps().unwrap_err();
        let [tools, ids] = lacks.as_slice() else { panic!("{lacks:?}") };
        assert_eq!(tools.what, "newuidmap is not on PATH");
        assert!(tools.mend.contains("the package uidmap"), "{tools:?}");
        assert!(ids.what.starts_with("/etc/subuid gives alice 0 ids, /etc/subgid gives alice 0 ids: "), "{ids:?}");
        let command = "usermod --add-subuids 100000-165535 --add-subgids 165536-231071 alice";
        assert!(ids.what.contains("own id alone is not enough") && ids.mend.contains(command), "{ids:?}");

        let short = Person { subuid: "alice:100000:65535".into(), ..alice() };
        assert!(short.ids().unwrap().what.starts_with("/etc/subuid gives alice 65535 ids: "));
        let held = Person { no_new_privileges: true, ..alice() };
        assert!(held.tools().unwrap().mend.contains("no-new-privileges"));
        assert!(alice().tools().is_none() && alice().ids().is_none());
    }

    const OPEN: Ground = Ground { root: false, container: false, clone: Some(1), most: Some(9), apparmor: Some(0) };

    #[test]
    fn settings_and_flags_are_named() {
        let debian = Ground { clone: Some(0), ..OPEN }.way_out();
        assert!(debian.contains("sudo sysctl kernel.unprivileged_userns_clone=1"), "{debian}");
        let none = Ground { most: Some(0), ..OPEN }.way_out();
        assert!(none.contains("sudo sysctl user.max_user_namespaces=15000"), "{none}");
        let ubuntu = Ground { apparmor: Some(1), ..OPEN }.way_out();
        assert!(ubuntu.contains("sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"), "{ubuntu}");
        let contained = Ground { container: true, ..OPEN }.way_out();
        for flag in ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined", "--userns=host"] {
            assert!(contained.contains(flag), "{contained}");
        }
        let root = Ground { container: true, root: true, most: Some(0), ..OPEN }.way_out();
        assert!(root.contains("--cap-add SYS_ADMIN") && !root.contains("sysctl"), "{root}");
        assert!(OPEN.way_out().ends_with(": run as root"));
    }
}
