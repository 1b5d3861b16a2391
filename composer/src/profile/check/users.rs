//! People: who they are and how they come in.

use serde_json::Value;

use super::node::{Faults, Node, brief};
use super::services::Used;
use super::{crypt, files, shells, ssh_key};
use crate::profile::fault::Fault;
use crate::suggest;

/// Users and groups of base-passwd and of the packages in every image; a person of that name would take them over.
const RESERVED: [&str; 49] = [
    "root",
    "daemon",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "lp",
    "mail",
    "news",
    "uucp",
    "proxy",
    "www-data",
    "backup",
    "list",
    "irc",
    "nobody",
    "nogroup",
    "adm",
    "tty",
    "disk",
    "kmem",
    "dialout",
    "fax",
    "voice",
    "cdrom",
    "floppy",
    "tape",
    "sudo",
    "audio",
    "dip",
    "operator",
    "src",
    "shadow",
    "utmp",
    "video",
    "sasl",
    "plugdev",
    "staff",
    "users",
    "input",
    "render",
    "kvm",
    "messagebus",
    "sshd",
    "borg",
    "clock",
    "crontab",
    "sgx",
];

pub fn check(profile: &Node<'_>, services: &[Used<'_>], faults: &mut Faults<'_>) {
    let users = profile.list("users");
    let names: Vec<_> = users.iter().filter_map(|user| user.text("name")).collect();
    faults.duplicates("the user", names.iter().map(|(node, name)| (node, *name)));
    let uids: Vec<_> = users.iter().filter_map(|user| user.get("uid")).collect();
    faults.duplicates("the user id", uids.iter().filter_map(|node| Some((node, node.value.as_u64()?))));
    for (node, name) in &names {
        if is_reserved(name) {
            let message = format!("the user name `{name}` belongs to the system");
            faults.at(
                node,
                message,
                "reserved",
                "choose another name; give `sudo: true` to somebody who may become root",
            );
        }
    }
    let has_ssh = services.iter().any(|used| used.service.name == "ssh");
    let known = Known::new(profile, &names, services);
    for user in &users {
        password(user, faults);
        keys(user, has_ssh, faults);
        groups(user, &known, faults);
        sudo(user, faults);
        shells::check(user, profile, services, faults);
    }
}

/// `sudo` asks for the password: who has none never becomes root.
fn sudo(user: &Node<'_>, faults: &mut Faults<'_>) {
    let Some(node) = user.get("sudo").filter(|sudo| sudo.value == &Value::Bool(true)) else { return };
    if user.get("password_hash").is_none() && user.get("password_hash_file").is_none() {
        let help = "add `password_hash` or `password_hash_file`; keys alone still log in without it";
        faults.at(&node, "`sudo: true` for a user without a password", "asks for a password that nobody has", help);
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("systemd-") || name.starts_with("borg-")
}

fn password(user: &Node<'_>, faults: &mut Faults<'_>) {
    let hash = user.text("password_hash");
    let file = user.text("password_hash_file");
    if let (Some((hash, _)), Some((file, _))) = (&hash, &file) {
        let fault = Fault::new("`password_hash` and `password_hash_file` together")
            .at(faults.spans.key(&file.pointer), "given too")
            .at(faults.spans.key(&hash.pointer), "given here");
        faults.push(fault.help("keep one: the file's hash stays out of lock and image"));
    }
    if let Some((node, text)) = &hash
        && !crypt::is_hash(text)
    {
        // Neither the message nor the excerpt may show what could be the password itself.
        faults.at(
            node,
            "`password_hash` is not a strong crypt(3) hash",
            "not shown: it may be the password itself",
            "run `mkpasswd --method=yescrypt` and put its output in single quotes; the old `$1$` and DES hashes are refused",
        );
    }
    if let Some((node, path)) = &file {
        files::inside(node, path, faults);
    }
}

fn keys(user: &Node<'_>, has_ssh: bool, faults: &mut Faults<'_>) {
    let keys = user.texts("ssh_keys");
    for (node, line) in &keys {
        // Control characters and private keys are reported for every string.
        let reported = line.chars().any(char::is_control) || ssh_key::is_private(line);
        if let (Some(why), false) = (ssh_key::fault(line), reported) {
            let fault = Fault::new(format!("not a public SSH key: {why}")).at(faults.place(node), "this key");
            faults.push(fault.help("paste the one line of a `.pub` file: `ssh-ed25519 AAAA… comment`"));
        }
    }
    faults.duplicates("the key", keys.iter().map(|(node, line)| (node, *line)));
    if let (Some((node, _)), false) = (keys.first(), has_ssh) {
        let message = "an SSH key without the service `ssh`";
        faults.at(node, message, "nothing would ever ask for it", "add `- ssh` to `services:`");
    }
}

/// Packages of services that make no groups but reserved ones.
const QUIET: [&str; 6] = ["nginx", "openssh-server", "openssl", "python3", "systemd-resolved", "systemd-timesyncd"];

/// The group of those who may use the tools of services without a token.
const TOOLS: &str = "borg";

/// The groups that the image can have.
struct Known<'a> {
    people: Vec<&'a str>,
    /// Some package may make more.
    open: bool,
    /// Some service makes the group of those who may use the tools.
    tools: bool,
}

impl<'a> Known<'a> {
    fn new(profile: &Node<'a>, names: &[(Node<'a>, &'a str)], services: &[Used<'_>]) -> Self {
        let quiet = |package: &String| QUIET.contains(&package.as_str());
        let open = !profile.list("packages").is_empty()
            || services.iter().any(|used| !used.service.packages.iter().all(quiet));
        let mut files = services.iter().flat_map(|used| &used.service.files);
        let tools = files.any(|file| file.path.starts_with("/usr/lib/sysusers.d/"));
        Known { people: names.iter().map(|(_, name)| *name).collect(), open, tools }
    }

    /// What to do about a group that nothing makes.
    fn missing(&self, group: &str) -> Option<String> {
        if group == TOOLS {
            return (!self.tools).then(|| "add `- mcp` to `services:`, whose tools it is for".to_owned());
        }
        if self.open || self.people.contains(&group) || is_reserved(group) || group.starts_with('_') {
            return None;
        }
        let close = suggest::closest(group, RESERVED.into_iter().chain(self.people.iter().copied()));
        Some(close.map_or_else(
            || "add the package that makes it to `packages:`, or remove the group".to_owned(),
            |close| format!("did you mean `{close}`?"),
        ))
    }
}

fn groups(user: &Node<'_>, known: &Known<'_>, faults: &mut Faults<'_>) {
    let groups = user.texts("groups");
    faults.duplicates("the group", groups.iter().map(|(node, name)| (node, *name)));
    for (node, name) in &groups {
        if !is_group(name) {
            let message = format!("`{}` is no group's name", brief(name));
            faults.at(node, message, "this group", "write lower-case letters, digits, `-` and `_`, at most 32");
        } else if matches!(*name, "root" | "shadow" | "disk" | "kmem" | "docker" | "lxd" | "incus-admin") {
            let message = format!("who is in the group `{name}` can do what root can");
            faults.at(node, message, "this group", "give `sudo: true` to somebody who may become root");
        } else if let Some(help) = known.missing(name) {
            faults.at(node, format!("nothing of the profile makes the group `{name}`"), "this group", &help);
        }
    }
    if let Some(sudo) = user.get("sudo")
        && sudo.value == &Value::Bool(false)
        && let Some((node, _)) = groups.iter().find(|(_, name)| *name == "sudo")
    {
        faults.at(node, "`sudo: false`, but in the group `sudo`", "lets them become root", "remove one of the two");
    }
}

fn is_group(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    first && rest && name.len() <= 32
}
