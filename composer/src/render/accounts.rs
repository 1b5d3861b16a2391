//! The accounts of the image: the profile's users merged into what the packages made.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::lock::types::Ids;
use crate::spec::types::{FileSpec, Password, UserSpec};
use crate::tree::{Node, Tree};

/// The text of the four account files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    pub passwd: String,
    pub group: String,
    pub shadow: String,
    pub gshadow: String,
}

impl Accounts {
    /// System users and groups by number.
    pub fn ids(&self) -> Ids {
        Ids { users: numbers(&self.passwd), groups: numbers(&self.group) }
    }
}

/// Names with numbers that packages are given on installation (Debian Policy 9.2.2: 100 to 999).
fn numbers(text: &str) -> BTreeMap<String, u32> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        (100..1000).contains(&id).then(|| (name.to_owned(), id))
    };
    text.lines().filter_map(entry).collect()
}

/// Adds `users` to the accounts of the layers below and locks root.
///
/// Each user gets a group of the same name and number. `epoch_days` is the day of the last password change, in days
/// since 1970. A group that nobody made, a number or a name that is taken, and a value that would break a line are errors.
pub fn merge(existing: Accounts, users: &[UserSpec], epoch_days: u64) -> Result<Accounts> {
    let mut accounts = Accounts {
        passwd: terminated(existing.passwd),
        group: terminated(existing.group),
        shadow: lock_root(&existing.shadow, epoch_days),
        gshadow: terminated(existing.gshadow),
    };
    for user in users {
        add(&mut accounts, user, epoch_days)?;
    }
    // After all users have their own groups, so that one user may be a member of another's.
    for user in users {
        join(&mut accounts, user)?;
    }
    Ok(accounts)
}

/// The home folders with their `authorized_keys`, and the folders in them that the profile's files need.
pub fn homes(users: &[UserSpec], files: &[FileSpec]) -> Tree {
    let mut tree = Tree::default();
    for user in users {
        let home = format!("home/{}", user.name);
        let owned = |node: Node, mode: u32| node.mode(mode).owned(&user.name, &user.name);
        tree.insert(home.clone(), owned(Node::folder(), 0o700));
        for folder in files.iter().flat_map(|file| folders_in(&home, &file.path)) {
            let mode = if folder.ends_with("/.ssh") { 0o700 } else { 0o755 };
            tree.insert(folder, owned(Node::folder(), mode));
        }
        if !user.ssh_keys.is_empty() {
            let keys: String = user.ssh_keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
            tree.insert(format!("{home}/.ssh"), owned(Node::folder(), 0o700));
            tree.insert(format!("{home}/.ssh/authorized_keys"), owned(Node::file(keys), 0o600));
        }
    }
    tree
}

/// The folders between a home and a file in it.
fn folders_in<'a>(home: &str, file: &'a str) -> impl Iterator<Item = &'a str> {
    let path = file.trim_start_matches('/');
    let start = path.strip_prefix(home).filter(|rest| rest.starts_with('/')).map_or(path.len(), |_| home.len() + 1);
    path.match_indices('/').filter(move |(at, _)| *at > start).filter_map(|(at, _)| path.get(..at))
}

/// What goes into the password field: a hash, or `*`, which no password matches.
pub fn password_field(user: &UserSpec) -> &str {
    match &user.password {
        Password::Hash(hash) => hash,
        Password::Locked | Password::Credential => "*",
    }
}

fn add(accounts: &mut Accounts, user: &UserSpec, days: u64) -> Result<()> {
    check(accounts, user)?;
    let (name, uid, days) = (user.name.as_str(), user.uid.to_string(), days.to_string());
    let home = format!("/home/{name}");
    accounts.passwd += &line(&[name, "x", &uid, &uid, "", &home, &user.shell]);
    accounts.group += &line(&[name, "x", &uid, ""]);
    accounts.shadow += &line(&[name, password_field(user), &days, "0", "99999", "7", "", "", ""]);
    accounts.gshadow += &line(&[name, "!", "", ""]);
    Ok(())
}

fn line(fields: &[&str]) -> String {
    fields.join(":") + "\n"
}

fn check(accounts: &Accounts, user: &UserSpec) -> Result<()> {
    for (what, text) in [("name", &*user.name), ("shell", &*user.shell), ("password hash", password_field(user))] {
        if text.is_empty() || text.contains(|c: char| c == ':' || c.is_control()) {
            return Err(Error::input(format!("the {what} of user `{}` cannot stand in an account file", user.name))
                .help("it must not be empty, nor hold colons or line breaks"));
        }
    }
    let number = user.uid.to_string();
    for (file, text) in [("/etc/passwd", &accounts.passwd), ("/etc/group", &accounts.group)] {
        for line in text.lines() {
            let mut fields = line.split(':');
            let (name, taken) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
            if name == user.name || taken == number {
                return Err(Error::input(format!(
                    "user `{}` with the number {number} is already taken: {file} has `{name}` with {taken}",
                    user.name
                ))
                .help("choose another name or uid"));
            }
        }
    }
    Ok(())
}

fn join(accounts: &mut Accounts, user: &UserSpec) -> Result<()> {
    for group in user.groups.iter().collect::<BTreeSet<_>>() {
        if !add_member(&mut accounts.group, group, &user.name) {
            return Err(Error::input(format!(
                "user `{}` is to join the group `{group}`, which does not exist",
                user.name
            ))
            .help("add the package that makes the group, or remove it from the user's groups"));
        }
        add_member(&mut accounts.gshadow, group, &user.name);
    }
    Ok(())
}

/// Adds a member to a group's line, whose last field is the list; false if there is no such group.
fn add_member(text: &mut String, group: &str, member: &str) -> bool {
    let mut found = false;
    let mut lines = String::with_capacity(text.len() + member.len() + 1);
    for line in text.lines() {
        lines.push_str(line);
        if line.split(':').next() == Some(group) {
            found = true;
            let members = line.rsplit(':').next().unwrap_or_default();
            if !members.split(',').any(|m| m == member) {
                if !members.is_empty() {
                    lines.push(',');
                }
                lines.push_str(member);
            }
        }
        lines.push('\n');
    }
    *text = lines;
    found
}

/// Nobody logs in as root with a password, whatever the packages left there.
fn lock_root(shadow: &str, days: u64) -> String {
    let mut lines: Vec<String> = shadow.lines().filter(|l| !l.starts_with("root:")).map(str::to_owned).collect();
    lines.insert(0, format!("root:*:{days}:0:99999:7:::"));
    lines.join("\n") + "\n"
}

fn terminated(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::testing::test_file;

    fn base() -> Accounts {
        Accounts {
            passwd: "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin".into(),
            group: "root:x:0:\ndaemon:x:1:\nsudo:x:27:\ndialout:x:20:daemon\n".into(),
            shadow: "root::20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n".into(),
            gshadow: "root:*::\ndaemon:*::\nsudo:*::\ndialout:*::daemon\n".into(),
        }
    }

    fn user(name: &str, uid: u32, groups: &[&str], password: Password) -> UserSpec {
        UserSpec {
            name: name.into(),
            uid,
            groups: groups.iter().map(|&g| g.into()).collect(),
            shell: "/bin/bash".into(),
            ssh_keys: vec!["ssh-ed25519 AAAA alice".into()],
            password,
        }
    }

    #[test]
    fn users_are_merged_and_root_is_locked() {
        let users = [
            user("alice", 1000, &["sudo", "dialout"], Password::Hash("$y$j9T$abc".into())),
            user("bob", 1001, &["alice"], Password::Locked),
            user("carol", 1002, &[], Password::Credential),
        ];
        let accounts = merge(base(), &users, 20089).unwrap();
        insta::assert_snapshot!(format!(
            "{}--\n{}--\n{}--\n{}",
            accounts.passwd, accounts.group, accounts.shadow, accounts.gshadow
        ));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let told = |users: &[UserSpec]| merge(base(), users, 1).unwrap_err().to_string();
        let locked = Password::Locked;
        let faults = [
            told(&[user("alice", 1000, &["wheel"], locked.clone())]),
            told(&[user("daemon", 1000, &[], locked.clone())]),
            told(&[user("a", 1000, &[], locked.clone()), user("b", 1000, &[], locked)]),
            told(&[user("alice", 1000, &[], Password::Hash("x\nroot::0".into()))]),
        ];
        insta::assert_snapshot!(faults.join("\n"));
    }

    #[test]
    fn homes_belong_to_their_users() {
        let files =
            ["/home/alice/.config/app/x", "/home/alice/.ssh/config", "/home/alice/y", "/home/al/z/z", "/srv/x/x"];
        let files = files.map(|path| test_file(path, ""));
        let tree = homes(&[user("alice", 1000, &[], Password::Locked)], &files);
        let listing: Vec<String> =
            tree.iter().map(|(path, n)| format!("{path} {:o} {}:{}", n.mode, n.owner, n.group)).collect();
        assert_eq!(
            listing,
            [
                "home/alice 700 alice:alice",
                "home/alice/.config 755 alice:alice",
                "home/alice/.config/app 755 alice:alice",
                "home/alice/.ssh 700 alice:alice",
                "home/alice/.ssh/authorized_keys 600 alice:alice",
            ]
        );
    }

    proptest! {
        #[test]
        fn lines_are_never_broken(name in "[a-z:\n*]{1,6}", shell in "[/a-z:\n]{1,8}", hash in "[$.a-zA-Z0-9:\n]{0,20}",
                                  uid in 0u32..70000, groups in prop::collection::vec("[a-z:,\n]{1,7}|sudo", 0..3)) {
            let mut one = user("x", uid, &[], Password::Hash(hash));
            (one.name, one.shell, one.groups) = (name, shell, groups);
            if let Ok(accounts) = merge(base(), &[one], 1) {
                for (text, fields, lines) in [(&accounts.passwd, 7, 3), (&accounts.group, 4, 5),
                                              (&accounts.shadow, 9, 3), (&accounts.gshadow, 4, 5)] {
                    prop_assert!(text.lines().all(|l| l.split(':').count() == fields), "{text}");
                    prop_assert_eq!(text.lines().count(), lines);
                    prop_assert_eq!(text.lines().filter(|l| l.starts_with("root:")).count(), 1);
                }
            }
        }
    }
}
