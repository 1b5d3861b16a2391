//! The files layer, computed without unpacking the layers below it.

use std::collections::BTreeMap;

use crate::Error;
use crate::engine::job::{Facts, Folder};
use crate::error::Result;
use crate::render::accounts;
use crate::spec::types::UserSpec;
use crate::tree::{Content, Node, Tree};

/// Links that a path may lead through before it counts as a loop, as in the kernel.
const MAX_LINKS: usize = 40;

/// The shadow group's number, fixed by base-passwd.
const SHADOW: &str = "42";

/// The whole files layer: `files`, users' homes among them, and the account files with those users in them.
pub fn compose(files: &Tree, facts: &Facts, users: &[UserSpec], epoch: u64) -> Result<Tree> {
    let accounts = accounts::merge(facts.accounts.clone(), users, epoch / 86_400)?;
    let mut tree = Tree::default();
    for (name, text, before, mode, group) in [
        ("passwd", &accounts.passwd, &facts.accounts.passwd, 0o644, "root"),
        ("group", &accounts.group, &facts.accounts.group, 0o644, "root"),
        ("shadow", &accounts.shadow, &facts.accounts.shadow, 0o640, SHADOW),
        ("gshadow", &accounts.gshadow, &facts.accounts.gshadow, 0o640, SHADOW),
    ] {
        if text != before {
            tree.insert(format!("etc/{name}"), Node::file(text.as_str()).mode(mode).owned("root", group));
        }
    }
    tree.extend(files.iter().map(|(path, node)| (path.to_owned(), node.clone())));
    place(&tree, &Facts { accounts, folders: facts.folders.clone() })
}

/// Puts `tree` on top of layers with these facts: paths are led through the lower layers' links, owners become numbers,
/// and implied parent folders keep the mode and owner that they have below.
pub fn place(tree: &Tree, facts: &Facts) -> Result<Tree> {
    let mut placed = Tree::default();
    let mut origins = BTreeMap::new();
    for (path, node) in tree.iter() {
        let real = resolve(path, facts)?;
        if let Some(other) = origins.insert(real.clone(), path).filter(|_| node.content != Content::Folder) {
            return Err(Error::input(format!("/{other} and /{path} are one file in the image, /{real}"))
                .help("keep one of the two"));
        }
        for (end, _) in real.match_indices('/') {
            let parent = &real[..end];
            if let Some(Folder::Plain { mode, uid, gid }) = facts.folders.get(parent)
                && tree.get(parent).is_none()
            {
                placed.insert(parent, Node::new(Content::Folder, *mode).owned(uid.to_string(), gid.to_string()));
            }
        }
        let folder = matches!(facts.folders.get(&real), Some(Folder::Usual | Folder::Plain { .. }));
        if folder && node.content != Content::Folder {
            return Err(Error::input(format!("/{path} is a folder of the image, and a file cannot take its place"))
                .help("name a file in it"));
        }
        let mut node = node.clone();
        node.owner = number(&node.owner, &facts.accounts.passwd).ok_or_else(|| unknown("user", &node.owner, path))?;
        node.group = number(&node.group, &facts.accounts.group).ok_or_else(|| unknown("group", &node.group, path))?;
        placed.insert(real, node);
    }
    Ok(placed)
}

fn unknown(what: &str, name: &str, path: &str) -> Error {
    Error::input(format!("/{path} should belong to the {what} `{name}`, which the image does not have"))
        .help(format!("name a {what} of the profile or of its packages"))
}

/// The number of a name in passwd or group format; a number stands for itself.
fn number(name: &str, text: &str) -> Option<String> {
    if name.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() {
        return Some(name.to_owned());
    }
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1).map(str::to_owned))?
    })
}

/// Leads the parents of `path` through links; the last part is kept, because it is what is being placed.
fn resolve(path: &str, facts: &Facts) -> Result<String> {
    let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut done: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.pop();
                continue;
            }
            _ => done.push(part),
        }
        let here = done.join("/");
        if let (false, Some(Folder::Link(target))) = (todo.is_empty(), facts.folders.get(&here)) {
            links += 1;
            if links > MAX_LINKS {
                return Err(
                    Error::input(format!("/{path} leads through too many symbolic links")).help("name its real place")
                );
            }
            if target.starts_with('/') {
                done.clear();
            } else {
                done.pop();
            }
            todo.extend(target.split('/').rev().map(str::to_owned));
        }
    }
    Ok(done.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::accounts::Accounts as AccountFiles;

    fn facts() -> Facts {
        let accounts = AccountFiles {
            passwd: "root:x:0:0::/root:/bin/bash\nwww-data:x:33:33::/var/www:/x\n".into(),
            group: "root:x:0:\nadm:x:4:\n".into(),
            ..AccountFiles::default()
        };
        let folders = [
            ("bin".to_owned(), Folder::Link("usr/bin".into())),
            ("var/run".to_owned(), Folder::Link("/run".into())),
            ("loop".to_owned(), Folder::Link("loop".into())),
            ("root".to_owned(), Folder::Plain { mode: 0o700, uid: 0, gid: 0 }),
        ];
        Facts { accounts, folders: folders.into() }
    }

    fn placed(path: &str, node: Node) -> Result<Tree> {
        let mut tree = Tree::default();
        tree.insert(path, node);
        place(&tree, &facts())
    }

    #[test]
    fn leads_through_links_of_lower_layers() {
        let tree = placed("bin/hello", Node::file("x")).unwrap();
        assert!(tree.get("usr/bin/hello").is_some());
        assert!(placed("var/run/x", Node::file("x")).unwrap().get("run/x").is_some());
    }

    #[test]
    fn two_names_of_one_place_are_refused() {
        let mut tree = Tree::default();
        tree.insert("bin/hello", Node::file("x"));
        tree.insert("usr/bin/hello", Node::file("y"));
        let error = place(&tree, &facts()).unwrap_err().to_string();
        assert_eq!(error, "/bin/hello and /usr/bin/hello are one file in the image, /usr/bin/hello");
    }

    #[test]
    fn a_link_itself_may_be_replaced() {
        assert!(placed("bin", Node::file("x")).unwrap().get("bin").is_some());
    }

    #[test]
    fn a_folder_is_never_replaced() {
        let error = placed("root", Node::file("x")).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Input);
        assert!(placed("root", Node::folder()).is_ok());
    }

    #[test]
    fn a_loop_is_an_error() {
        assert!(placed("loop/x", Node::file("x")).unwrap_err().to_string().contains("too many symbolic links"));
    }

    #[test]
    fn parents_keep_their_mode() {
        let tree = placed("root/.profile", Node::file("x")).unwrap();
        assert_eq!(tree.get("root").map(|n| n.mode), Some(0o700));
    }

    #[test]
    fn owners_become_numbers() {
        let tree = placed("a", Node::file("x").owned("www-data", "adm")).unwrap();
        let node = tree.get("a").unwrap();
        assert_eq!((node.owner.as_str(), node.group.as_str()), ("33", "4"));
        assert!(placed("a", Node::file("x").owned("nobody-here", "adm")).is_err());
    }
}
