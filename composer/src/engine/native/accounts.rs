//! Keeping the numbers of system users and groups that earlier builds of the lock gave.
//!
//! Packages are left to choose first; only if that gives a name another number than the lock has is the layer made again
//! with the lock's numbers laid out for adduser and systemd-sysusers. So the first build of a lock and the later ones,
//! which know its numbers, make the same bytes.

use std::fs;
use std::path::PathBuf;

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

/// Lays the numbers out, between unpacking and configuring: systemd-sysusers finds its files with the numbers written in,
/// adduser finds its pools.
pub fn lay_out(ids: &Ids, target: &Target) -> Result<Option<Mask>> {
    sysusers(ids, target)?;
    pools(ids, target)
}

/// Puts copies with numbers into /run, where they go before those of packages and services (sysusers.d(5)).
pub fn sysusers(ids: &Ids, target: &Target) -> Result<()> {
    let from = target.root.join("usr/lib/sysusers.d");
    let to = target.root.join("run/sysusers.d");
    let Ok(entries) = fs::read_dir(&from) else { return Ok(()) };
    fs::create_dir_all(&to).at("create", &to)?;
    for entry in entries {
        let path = entry.at("read", &from)?.path();
        let text = fs::read_to_string(&path).at("read", &path)?;
        let copy = to.join(path.file_name().unwrap_or_default());
        let lines: Vec<String> = text.lines().map(|line| with_number(line, ids)).collect();
        fs::write(&copy, lines.join("\n") + "\n").at("write", &copy)?;
    }
    Ok(())
}

/// A line of sysusers.d with the number of the lock in place of `-`, if it has one.
fn with_number(line: &str, ids: &Ids) -> String {
    let mut words = line.split_whitespace();
    let (Some(kind), Some(name), Some(id)) = (words.next(), words.next(), words.next()) else { return line.to_owned() };
    let numbers = if kind.starts_with('u') { &ids.users } else { &ids.groups };
    let open = id == "-" || id.starts_with("-:");
    let Some(number) = numbers.get(name).filter(|_| open && kind.starts_with(['u', 'g'])) else {
        return line.to_owned();
    };
    // Only the id changes: what follows may be quoted text, and names may hold a `-`.
    let after = |from: usize, word: &str| Some(from + line.get(from..)?.find(word)?);
    let start = after(0, kind).and_then(|at| after(at + kind.len(), name)).and_then(|at| after(at + name.len(), id));
    match start.and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?))) {
        Some((head, tail)) => format!("{head}{number}{tail}"),
        None => line.to_owned(),
    }
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
    fn numbers_are_written_into_sysusers_lines() {
        let ids = ids(&[("messagebus", 985), ("sshd", 970), ("a-b", 960)]);
        assert_eq!(with_number("u messagebus - \"Bus - x\"", &ids), "u messagebus 985 \"Bus - x\"");
        assert_eq!(with_number("u! sshd -:65534 \"sshd\" /run/sshd", &ids), "u! sshd 970:65534 \"sshd\" /run/sshd");
        assert_eq!(with_number("g a-b  - -", &ids), "g a-b  960 -");
        assert_eq!(with_number("g other - -", &ids), "g other - -");
        assert_eq!(with_number("u messagebus 81 x", &ids), "u messagebus 81 x");
        assert_eq!(with_number("# u messagebus -", &ids), "# u messagebus -");
        assert_eq!(with_number("m messagebus audio", &ids), "m messagebus audio");
    }

    #[test]
    fn only_names_that_this_layer_makes_are_laid_out() {
        let kept = to_keep(&ids(&[("a", 990), ("elsewhere", 980)]), &ids(&[("a", 989), ("new", 990)])).unwrap();
        assert_eq!(kept, ids(&[("a", 990)]));
    }
}
