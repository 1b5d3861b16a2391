//! Files: where they go and where they come from, as far as the text says it.

use std::collections::BTreeMap;

use super::node::{Faults, Node, brief};
use super::services::Used;
use crate::profile::fault::Fault;

/// What the running system mounts over: a file there would never be seen.
const HIDDEN: [&str; 7] = ["/proc", "/sys", "/dev", "/run", "/tmp", "/var/run", "/var/lock"];
/// Folders of every image that somebody might take for a file; the build knows all of them.
const FOLDERS: [&str; 14] = [
    "/boot",
    "/etc",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/srv",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/share",
    "/var",
    "/var/lib",
];
/// What the composer writes from other parts of the profile.
const OWNED: [(&str, &str); 10] = [
    ("/etc/passwd", "use `users:` of the profile"),
    ("/etc/group", "use `users:` of the profile"),
    ("/etc/shadow", "use `users:` of the profile"),
    ("/etc/gshadow", "use `users:` of the profile"),
    ("/etc/hostname", "use `hostname:` of the profile"),
    ("/etc/machine-id", "each device makes its own at first boot"),
    ("/etc/borg/device.json", "use `offline_model:` and `offline_only:` of the profile"),
    ("/usr/lib/borg/boot-check.json", "use `services:` of the profile"),
    ("/etc/systemd/system/borg-passwords.service", "use `users:` of the profile"),
    ("/usr/lib/systemd/system-preset/0-borg.preset", "use `services:` of the profile"),
];
/// What else is in every image as a file: a file of the profile may take its place, but not make a folder of it.
const FILES: [&str; 16] = [
    "/etc/apt/sources.list.d/debian.sources",
    "/etc/default/keyboard",
    "/etc/default/locale",
    "/etc/hosts",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/resolv.conf",
    "/etc/sysctl.d/60-borg.conf",
    "/etc/systemd/journald.conf.d/10-borg.conf",
    "/etc/systemd/network/80-borg-wired.network",
    "/etc/systemd/resolved.conf.d/10-borg.conf",
    "/etc/systemd/system-generators/systemd-ssh-generator",
    "/etc/systemd/system-generators/systemd-sysv-generator",
    "/etc/systemd/timesyncd.conf.d/10-borg.conf",
    "/etc/timezone",
    "/usr/lib/borg/set-passwords",
];
/// Links to folders that are in every image: a path through one would name a file that has another path too.
const LINKS: [(&str, &str); 6] = [
    ("/bin", "/usr/bin"),
    ("/sbin", "/usr/sbin"),
    ("/lib", "/usr/lib"),
    ("/lib64", "/usr/lib64"),
    ("/usr/local/man", "/usr/local/share/man"),
    ("/var/spool/mail", "/var/mail"),
];

pub fn check(profile: &Node<'_>, services: &[Used<'_>], faults: &mut Faults<'_>) {
    let files = profile.list("files");
    let paths: Vec<_> = files.iter().filter_map(|file| file.text("path")).collect();
    for (node, path) in &paths {
        if let Some((why, help)) = target_fault(path) {
            faults.at(node, format!("`{}` cannot be a file's path: {why}", brief(path)), "this path", &help);
        }
    }
    faults.duplicates("the path", paths.iter().map(|(node, path)| (node, *path)));
    let sound: Vec<_> = paths.iter().filter(|(_, path)| target_fault(path).is_none()).cloned().collect();
    nested(&sound, faults);
    among_services(&sound, services, faults);
    homes(profile, &sound, faults);
    for file in &files {
        one_origin(file, faults);
        if let Some((node, source)) = file.text("source") {
            inside(&node, source, faults);
        }
    }
}

/// Why a text is no path of the image, and the way out.
pub fn form_fault(path: &str) -> Option<(&'static str, String)> {
    let help = |text: &str| text.to_owned();
    if path.is_empty() {
        return Some(("it is empty", help("write one such as `/etc/motd`")));
    }
    if !path.starts_with('/') {
        return Some(("it is relative", format!("write it from the root: `/{}`", brief(path))));
    }
    if path.ends_with('/') {
        return Some(("it ends in `/`", help("name the file, not its folder")));
    }
    let steps = || path.split('/').skip(1);
    if steps().any(|step| step == "..") {
        return Some(("it has `..`", help("write the path without it")));
    }
    if steps().any(|step| step.is_empty() || step == ".") {
        return Some(("it has `//` or `.`", help("write the path without it")));
    }
    if path.len() > 4000 || steps().any(|step| step.len() > 255) {
        return Some(("it is too long", help("a name has at most 255 bytes, a path at most 4000")));
    }
    None
}

/// Why a path cannot be a target, and the way out.
pub fn target_fault(path: &str) -> Option<(&'static str, String)> {
    if let Some(fault) = form_fault(path) {
        return Some(fault);
    }
    let help = |text: &str| text.to_owned();
    let below = |folder: &str| path == folder || is_below(path, folder);
    if HIDDEN.iter().any(|hidden| below(hidden)) {
        return Some((
            "the running system mounts over it",
            help("/proc, /sys, /dev, /run and /tmp are made at boot; /var/run and /var/lock are links to /run"),
        ));
    }
    if let Some((_, place)) = LINKS.iter().find(|(link, _)| below(link)) {
        return Some(("that folder is a link", format!("write `{place}/…`")));
    }
    let owned = || OWNED.iter().map(|(owned, _)| *owned);
    if FOLDERS.contains(&path) || owned().chain(FILES).any(|file| is_below(file, path)) {
        return Some(("it is a folder", help("name a file in it")));
    }
    if let Some(file) = FILES.iter().find(|file| is_below(path, file)) {
        return Some((
            "what would be its folder is a file of the image",
            format!("choose a place that is not below `{file}`"),
        ));
    }
    let (_, way) = OWNED.iter().find(|(owned, _)| below(owned))?;
    Some(("the composer writes that file", help(way)))
}

pub fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// What services bring are files, and their folders are folders.
fn among_services(paths: &[(Node<'_>, &str)], services: &[Used<'_>], faults: &mut Faults<'_>) {
    for (node, path) in paths {
        let unit = |name: &String| format!("/etc/systemd/system/{name}");
        let brought = services.iter().find_map(|used| {
            let files = used.service.files.iter().map(|file| file.path.clone());
            let mut files = files.chain(used.service.units.iter().map(unit));
            let meets = |file: &String| is_below(path, file) || is_below(file, path);
            Some((&used.service.name, files.find(meets)?))
        });
        if let Some((service, file)) = brought {
            let message = format!("`{}` does not go with `{file}` of the service `{service}`", brief(path));
            faults.at(node, message, "one is a file, the other needs it as a folder", "choose another place");
        }
    }
}

/// A file cannot also be a folder.
fn nested(paths: &[(Node<'_>, &str)], faults: &mut Faults<'_>) {
    let known: BTreeMap<&str, &Node<'_>> = paths.iter().map(|(node, path)| (*path, node)).collect();
    for (node, path) in paths {
        let parents = path.match_indices('/').skip(1).filter_map(|(at, _)| path.get(..at));
        for (parent, outer) in parents.filter_map(|parent| Some((parent, known.get(parent)?))) {
            let fault = Fault::new(format!("`{}` is a file and a folder", brief(parent)))
                .at(faults.place(node), "needs it as a folder")
                .at(faults.place(outer), "makes it a file");
            faults.push(fault.help("rename one of the two"));
        }
    }
}

/// A home is a folder, and its `authorized_keys` are the profile's `ssh_keys`.
fn homes(profile: &Node<'_>, paths: &[(Node<'_>, &str)], faults: &mut Faults<'_>) {
    for user in profile.list("users") {
        let Some((_, name)) = user.text("name") else { continue };
        let home = format!("/home/{name}");
        let keys = format!("{home}/.ssh/authorized_keys");
        for (node, path) in paths {
            if **path == *home {
                let message = format!("`{}` is the home of the user `{}`", brief(path), brief(name));
                faults.at(node, message, "this path", "name a file in it");
            } else if **path == *keys && !user.list("ssh_keys").is_empty() {
                let message = format!("`{}` is written from the user's `ssh_keys`", brief(path));
                faults.at(node, message, "this path", "keep one of the two");
            }
        }
    }
}

fn one_origin(file: &Node<'_>, faults: &mut Faults<'_>) {
    let help = "write the text under `content:`, or name a file beside the profile with `source:`";
    match (file.get("content"), file.get("source")) {
        (Some(content), Some(source)) => {
            let fault = Fault::new("`content` and `source` together")
                .at(faults.spans.key(&source.pointer), "given too")
                .at(faults.spans.key(&content.pointer), "given here");
            faults.push(fault.help("keep one of them"));
        }
        (None, None) if file.value.is_object() => {
            faults.at(file, "a file without `content` or `source`", "this file", help);
        }
        _ => {}
    }
}

/// Reports a path that leads out of the profile's folder by its text alone.
pub fn inside(node: &Node<'_>, path: &str, faults: &mut Faults<'_>) {
    let why = if path.is_empty() {
        "it is empty"
    } else if path.starts_with('/') {
        "it is absolute"
    } else if path.split('/').any(|step| step == "..") {
        "it has `..`"
    } else {
        return;
    };
    let message = format!("`{}` is not inside the profile's folder: {why}", brief(path));
    faults.at(node, message, "this path", "put the file beside the profile and name it relative to it");
}

#[cfg(test)]
mod tests {
    use super::target_fault;

    #[test]
    fn targets() {
        for good in ["/etc/motd", "/srv/$(x) 'y'", "/etc/..x", "/runner", "/libx/a", "/etc/localtime", "/var/mail/x"] {
            assert_eq!(target_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "etc/motd",
            "/",
            "/etc/",
            "/etc/../x",
            "/etc//x",
            "/./x",
            "/proc/1",
            "/dev",
            "/run/x",
            "/lib/x",
            "/etc/shadow",
            "/etc/shadow/x",
            "/var/run/x",
            "/usr/bin",
            "/etc/systemd",
            "/usr/lib/borg",
            "/etc/resolv.conf/x",
            "/etc/localtime/x",
            "/var/spool/mail/x",
            "/usr/local/man/x",
            "/usr/lib/systemd/system-preset/0-borg.preset",
        ] {
            assert!(target_fault(bad).is_some(), "{bad}");
        }
    }
}
