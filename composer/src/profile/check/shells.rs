//! Login shells: there, and fit to be run.

use super::node::{Faults, Node, brief};
use super::services::Used;
use crate::suggest;

/// Shells that every image has.
const EVERYWHERE: [&str; 6] =
    ["/usr/bin/bash", "/usr/bin/dash", "/usr/bin/false", "/usr/bin/rbash", "/usr/bin/sh", "/usr/sbin/nologin"];

/// What Debian's packages bring to log in with, as their `add-shell` and documentation say.
const PACKAGED: [(&str, &str); 21] = [
    ("/usr/bin/bash-static", "bash-static"),
    ("/usr/bin/bsd-csh", "csh"),
    ("/usr/bin/csh", "csh"),
    ("/usr/bin/csh", "tcsh"),
    ("/usr/bin/elvish", "elvish"),
    ("/usr/bin/fish", "fish"),
    ("/usr/bin/git-shell", "git"),
    ("/usr/bin/ksh", "ksh93u+m"),
    ("/usr/bin/ksh", "mksh"),
    ("/usr/bin/ksh93", "ksh93u+m"),
    ("/usr/bin/lksh", "mksh"),
    ("/usr/bin/mksh", "mksh"),
    ("/usr/bin/posh", "posh"),
    ("/usr/bin/rc", "rc"),
    ("/usr/bin/screen", "screen"),
    ("/usr/bin/tcsh", "tcsh"),
    ("/usr/bin/tmux", "tmux"),
    ("/usr/bin/xonsh", "xonsh"),
    ("/usr/bin/yash", "yash"),
    ("/usr/bin/zsh", "zsh"),
    ("/usr/lib/openssh/sftp-server", "openssh-sftp-server"),
];

/// A shell that is not there, or cannot be run, keeps its user out: sshd and login refuse.
pub fn check(user: &Node<'_>, profile: &Node<'_>, services: &[Used<'_>], faults: &mut Faults<'_>) {
    let Some((node, shell)) = user.text("shell") else { return };
    let real = real(shell);
    if EVERYWHERE.contains(&real.as_str()) {
        return;
    }
    if let Some(file) =
        profile.list("files").iter().find(|file| file.text("path").is_some_and(|(_, path)| path == real))
    {
        if !may_run(user, file) {
            let message = format!("the shell `{}` is a file that its user cannot run", brief(shell));
            faults.at(&node, message, "keeps the user out", "give the file `mode: \"0755\"`");
        }
        return;
    }
    if let Some(help) = way_out(&real, profile, services) {
        let message = format!("nothing of the profile brings the shell `{}`", brief(shell));
        faults.at(&node, message, "keeps the user out", &help);
    }
}

/// The path without merged /usr's links.
fn real(shell: &str) -> String {
    let linked = ["/bin/", "/sbin/", "/lib/"].iter().any(|link| shell.starts_with(link));
    if linked { format!("/usr{shell}") } else { shell.to_owned() }
}

/// What to add; nothing if a package may bring the shell.
fn way_out(shell: &str, profile: &Node<'_>, services: &[Used<'_>]) -> Option<String> {
    let packages = packages(profile, services);
    let name = shell.rsplit('/').next().unwrap_or_default();
    let mut bringing = PACKAGED.iter().filter(|(path, _)| *path == shell).map(|(_, package)| *package).peekable();
    let help = bringing.peek().map(|first| format!("add `- {first}` to `packages:`"));
    let known = PACKAGED.iter().map(|(path, _)| *path).chain(EVERYWHERE);
    let elsewhere = known.clone().find(|path| path.rsplit('/').next() == Some(name)).filter(|_| help.is_none());
    // Debian's packages put programs nowhere else; `lshell` brings one of its name, `git` may bring `git-shell`.
    let usual = shell.starts_with("/usr/") && !shell.starts_with("/usr/local/");
    let related =
        |package: &&str| *package == name || name.strip_prefix(*package).is_some_and(|rest| rest.starts_with('-'));
    let foreign = help.is_none() && !profile.list("repositories").is_empty();
    if bringing.any(|package| packages.contains(&package))
        || (elsewhere.is_none() && (foreign || (usual && packages.iter().any(related))))
    {
        return None;
    }
    let place = "or place a program there with `files:` and `mode: \"0755\"`";
    let meant = elsewhere.or_else(|| suggest::closest(shell, known));
    help.or_else(|| meant.map(|path| format!("did you mean `{path}`? {place}")))
        .or_else(|| Some(format!("choose a shell that a package brings, {place}")))
}

/// The packages that the profile and its services name.
fn packages<'a>(profile: &Node<'a>, services: &'a [Used<'_>]) -> Vec<&'a str> {
    let by_services = services.iter().flat_map(|used| &used.service.packages).map(String::as_str);
    let mut packages: Vec<&str> =
        profile.texts("packages").into_iter().map(|(_, name)| name).chain(by_services).collect();
    if packages.contains(&"openssh-server") {
        packages.push("openssh-sftp-server");
    }
    packages
}

/// Whether the mode of a file of the profile lets the user run it.
fn may_run(user: &Node<'_>, file: &Node<'_>) -> bool {
    let text = |node: &Node<'_>, key: &str| node.text(key).map(|(_, text)| text.to_owned());
    let mode = text(file, "mode").and_then(|mode| u32::from_str_radix(&mode, 8).ok()).unwrap_or(0o644);
    let name = text(user, "name");
    let owner = text(file, "owner").unwrap_or_else(|| "root".to_owned());
    let group = text(file, "group").unwrap_or_else(|| owner.clone());
    let member = name.as_ref() == Some(&group) || user.texts("groups").iter().any(|(_, name)| *name == group);
    let needed = match () {
        () if name == Some(owner) => 0o500,
        () if member => 0o050,
        () => 0o005,
    };
    mode & needed == needed
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::profile::yaml::SpanMap;

    fn fault(shell: &str, profile: &Value) -> Option<String> {
        let spans = SpanMap::default();
        let mut faults = Faults::new(&spans);
        let user = json!({ "name": "ann", "shell": shell, "groups": ["staff"] });
        check(&Node::root(&user), &Node::root(profile), &[], &mut faults);
        faults.into_list().pop().map(|fault| fault.help.unwrap_or_default())
    }

    #[test]
    fn shells_that_are_there() {
        for shell in ["/bin/bash", "/bin/rbash", "/usr/bin/rbash", "/sbin/nologin", "/usr/sbin/nologin", "/bin/false"] {
            assert_eq!(fault(shell, &json!({})), None, "{shell}");
        }
        let profile = json!({ "packages": ["zsh", "git", "ksh", "lshell", "openssh-server"] });
        for shell in [
            "/bin/zsh",
            "/usr/bin/zsh",
            "/usr/bin/git-shell",
            "/bin/ksh",
            "/usr/bin/lshell",
            "/usr/lib/openssh/sftp-server",
        ] {
            assert_eq!(fault(shell, &profile), None, "{shell}");
        }
        assert_eq!(fault("/opt/microsoft/pwsh", &json!({ "repositories": [{}] })), None);
        for (mode, owner, group, fits) in [
            ("0755", "root", "root", true),
            ("0700", "ann", "ann", true),
            ("0750", "root", "staff", true),
            ("0750", "root", "root", false),
            ("0644", "root", "root", false),
            ("0711", "root", "root", false),
        ] {
            let file = json!({ "path": "/opt/sh", "mode": mode, "owner": owner, "group": group });
            assert_eq!(fault("/opt/sh", &json!({ "files": [file] })).is_none(), fits, "{mode} {owner} {group}");
        }
    }

    #[test]
    fn shells_that_are_not() {
        let profile = json!({ "packages": ["zsh", "jq"] });
        for (shell, help) in [
            ("/bin/fish", "add `- fish` to `packages:`"),
            ("/usr/bin/git-shell", "add `- git` to `packages:`"),
            ("/opt/zsh", "did you mean `/usr/bin/zsh`?"),
            ("/usr/bin/bahs", "did you mean `/usr/bin/bash`?"),
            ("/opt/jq", "choose a shell that a package brings"),
        ] {
            let told = fault(shell, &profile).unwrap_or_default();
            assert!(told.starts_with(help), "{shell}: {told}");
        }
    }
}
