//! The system users and groups that services declare in sysusers.d(5): made with the image, so that its users can join them.

use crate::tree::{Content, Tree};

/// Where declarations lie.
const FOLDER: &str = "usr/lib/sysusers.d";

/// The program that makes what the services' files declare, to be run in the image: an argument vector, or nothing.
#[must_use]
pub fn command(files: &Tree) -> Option<Vec<String>> {
    let names: Vec<String> = files.below(FOLDER).iter().map(|(name, _)| name.to_owned()).collect();
    // Names rather than paths: it looks in /run first, where the engine puts copies with the lock's numbers.
    (!names.is_empty()).then(|| std::iter::once("systemd-sysusers".to_owned()).chain(names).collect())
}

/// The same for a system that has none of the files: each line is an argument.
#[must_use]
pub fn inline_command(files: &Tree) -> Option<Vec<String>> {
    let declared = files.below(FOLDER);
    let texts = declared.iter().filter_map(|(_, node)| match &node.content {
        Content::File(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    });
    let lines = texts.flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.sort_unstable();
    lines.dedup();
    (!lines.is_empty()).then(|| ["systemd-sysusers", "--inline"].into_iter().map(str::to_owned).chain(lines).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Node;

    #[test]
    fn what_is_declared_is_made_once() {
        let mut files = Tree::default();
        assert_eq!((command(&files), inline_command(&files)), (None, None));
        files.insert("usr/lib/sysusers.d/b.conf", Node::file("# a group\ng borg -\n"));
        files.insert("usr/lib/sysusers.d/a.conf", Node::file("g borg -\n\nu! borg-x - \"It is $(x)\"\n"));
        files.insert("etc/motd", Node::file("g other -\n"));
        assert_eq!(command(&files).unwrap(), ["systemd-sysusers", "a.conf", "b.conf"]);
        let inline = ["systemd-sysusers", "--inline", "g borg -", "u! borg-x - \"It is $(x)\""];
        assert_eq!(inline_command(&files).unwrap(), inline);
    }
}
