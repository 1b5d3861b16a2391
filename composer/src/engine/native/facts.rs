//! Noting what the files layer must know of a finished root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::engine::job::{Facts, Folder};
use crate::error::{IoContext, Result};
use crate::render::accounts::Accounts;

pub fn gather(root: &Path) -> Result<Facts> {
    let mut folders = BTreeMap::new();
    walk(root, root, &mut folders)?;
    Ok(Facts { accounts: accounts(root)?, folders })
}

fn accounts(root: &Path) -> Result<Accounts> {
    let read = |name: &str| {
        let path = root.join("etc").join(name);
        fs::read_to_string(&path).at("read", &path)
    };
    Ok(Accounts { passwd: read("passwd")?, group: read("group")?, shadow: read("shadow")?, gshadow: read("gshadow")? })
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Folder>) -> Result<()> {
    for entry in fs::read_dir(folder).at("read", folder)? {
        let entry = entry.at("read", folder)?;
        let path = entry.path();
        // The folder itself knows what its entries are; most are files, of which nothing else is asked.
        let kind = entry.file_type().at("read", &path)?;
        let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        if kind.is_dir() {
            let meta = entry.metadata().at("read", &path)?;
            let (mode, uid, gid) = (meta.mode() & 0o7777, meta.uid(), meta.gid());
            let usual = (mode, uid, gid) == (0o755, 0, 0);
            found.insert(name.to_owned(), if usual { Folder::Usual } else { Folder::Plain { mode, uid, gid } });
            walk(root, &path, found)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).at("read", &path)?;
            if leads_to_folder(root, &path, &target)
                && let Some(target) = target.to_str()
            {
                found.insert(name.to_owned(), Folder::Link(target.to_owned()));
            }
        }
    }
    Ok(())
}

/// One step is enough: links to links are listed themselves.
fn leads_to_folder(root: &Path, link: &Path, target: &Path) -> bool {
    let place = match target.strip_prefix("/") {
        Ok(absolute) => root.join(absolute),
        Err(_) => link.parent().unwrap_or(root).join(target),
    };
    fs::symlink_metadata(&place).is_ok_and(|m| m.is_dir() || m.is_symlink())
}
