//! Keeping the numbers of system users and groups that earlier builds of the lock gave.
//!
//! Packages are left to choose first; only if that gives a name another number than the lock has is the layer made again
//! with the lock's numbers laid out for adduser and systemd-sysusers. So the first build of a lock and the later ones,
//! which know its numbers, make the same bytes.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::engine::native::target::{Mask, Target};
use crate::error::{IoContext, Result};
use crate::lock::types::Ids;
use crate::workshop::namespaces;

/// The pools as seen in the target, whose /run is a tmpfs of this build.
const POOLS: &str = "run/borg-ids";

/// The locked numbers of those names that `natural` has, if any of them came out differently.
pub fn to_keep(locked: &Ids, natural: &Ids) -> Option<Ids> {
    let differs = |locked: &std::collections::BTreeMap<String, u32>,
                   natural: &std::collections::BTreeMap<String, u32>| {
        natural.iter().any(|(name, id)| locked.get(name).is_some_and(|kept| kept != id))
    };
    if !differs(&locked.users, &natural.users) && !differs(&locked.groups, &natural.groups) {
        return None;
    }
    let known = |(name, id): (&String, &u32)| (name.clone(), *id);
    Some(Ids {
        users: locked.users.iter().filter(|(name, _)| natural.users.contains_key(*name)).map(known).collect(),
        groups: locked.groups.iter().filter(|(name, _)| natural.groups.contains_key(*name)).map(known).collect(),
    })
}

/// Lays the numbers out, between unpacking and configuring: groups exist already, from which systemd-sysusers takes the
/// users' numbers too, and adduser finds both in its pools.
pub fn lay_out(ids: &Ids, target: &Target) -> Result<Option<Mask>> {
    let group_file = target.root.join("etc/group");
    let existing = fs::read_to_string(&group_file).at("read", &group_file)?;
    let missing = ids.groups.iter().filter(|(name, _)| !existing.lines().any(|l| l.split(':').next() == Some(name)));
    let lines = missing.fold(String::new(), |mut text, (name, id)| {
        let _ = writeln!(text, "{name}:x:{id}:");
        text
    });
    append(&group_file, &lines)?;
    pools(ids, target)
}

fn append(path: &Path, text: &str) -> Result<()> {
    fs::File::options().append(true).open(path).and_then(|mut f| f.write_all(text.as_bytes())).at("write", path)
}

/// Shows adduser a configuration that names the pools, for as long as the mask lasts.
fn pools(ids: &Ids, target: &Target) -> Result<Option<Mask>> {
    let place = target.root.join("etc/adduser.conf");
    let Ok(config) = fs::read_to_string(&place) else { return Ok(None) };
    let folder = target.root.join(POOLS);
    fs::create_dir_all(&folder).at("create", &folder)?;
    let write = |name: &str, text: String| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text).at("write", &path)?;
        Ok(path)
    };
    let users = ids.users.iter().fold(String::new(), |text, (name, id)| format!("{text}{name}:{id}\n"));
    let groups = ids.groups.iter().fold(String::new(), |text, (name, id)| format!("{text}{name}:{id}\n"));
    write("users", users)?;
    write("groups", groups)?;
    let config = write("adduser.conf", format!("{config}\nUID_POOL=/{POOLS}/users\nGID_POOL=/{POOLS}/groups\n"))?;
    namespaces::bind(&config, &place, true)?;
    Ok(Some(Mask::new(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(pairs: &[(&str, u32)]) -> Ids {
        let map = || pairs.iter().map(|(n, i)| ((*n).to_owned(), *i)).collect();
        Ids { users: map(), groups: map() }
    }

    #[test]
    fn nothing_is_laid_out_when_the_numbers_agree() {
        assert_eq!(to_keep(&ids(&[("a", 990), ("gone", 980)]), &ids(&[("a", 990), ("new", 989)])), None);
        assert_eq!(to_keep(&Ids::default(), &ids(&[("a", 990)])), None);
    }

    #[test]
    fn only_names_that_this_layer_makes_are_laid_out() {
        let kept = to_keep(&ids(&[("a", 990), ("elsewhere", 980)]), &ids(&[("a", 989), ("new", 990)])).unwrap();
        assert_eq!(kept, ids(&[("a", 990)]));
    }
}
