//! Which folders may be no root, whoever asks for it.
//!
//! A root must not hold what a service executes or is configured by: whoever may write a file could then become the
//! service, and whoever may read one could read its keys.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use borg_config::folders::{self, Meets};
use cap_std::fs::{Dir, MetadataExt as _};

use crate::mounts::Mounts;

/// `real` is where the folder lies, `dir` the folder itself.
pub fn check(real: &Path, dir: &Dir, writable: bool) -> Result<(), String> {
    by_path(real)?;
    let mounts = Mounts::here().map_err(|e| format!("cannot be judged: {e}"))?;
    let same = |own: &&str| is_same_as_one_above(dir, Path::new(own)) || mounts.is_below(real, Path::new(own));
    if let Some(own) = folders::own().find(same) {
        return Err(format!("is, under another name, {own}, or holds it or lies in it; {WAY_OUT}"));
    }
    if writable && folders::meets_home(real) {
        return Err(format!("is or holds a home, whose start-up files people execute; {WAY_OUT}, or one in the home"));
    }
    let program = std::env::current_exe().unwrap_or_default();
    if writable && program.starts_with(real) {
        return Err(format!("holds this very program, {}; {WAY_OUT}", program.display()));
    }
    Ok(())
}

const WAY_OUT: &str = "give a folder for data, such as /srv/borg";

fn by_path(real: &Path) -> Result<(), String> {
    let (how, own) = match folders::meets(real) {
        None => return Ok(()),
        Some(Meets::In(own)) => ("lies in", own),
        Some(Meets::Holds(own)) => ("holds", own),
    };
    Err(format!("{how} {own}, which services execute or are configured by; {WAY_OUT}"))
}

/// A bind mount gives a folder a second path, but no second identity.
fn is_same_as_one_above(dir: &Dir, own: &Path) -> bool {
    let Ok(here) = dir.dir_metadata() else { return false };
    let same = |path: &Path| path.metadata().is_ok_and(|m| (m.dev(), m.ino()) == (here.dev(), here.ino()));
    own.ancestors().any(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_root_holds_or_lies_in_what_is_the_systems() {
        for path in
            ["/", "/opt", "/opt/borgos/plugins", "/opt/borgos/plugins/x", "/etc/borg", "/usr/bin", "/proc/self/root"]
        {
            assert!(by_path(Path::new(path)).unwrap_err().contains("services execute"), "{path}");
        }
        for path in ["/srv/borg", "/opt/data", "/home/me", "/etcetera", "/var/lib/borg-data"] {
            assert_eq!(by_path(Path::new(path)), Ok(()), "{path}");
        }
    }

    #[test]
    fn another_name_does_not_help() {
        let dir = Dir::open_ambient_dir("/etc", cap_std::ambient_authority()).unwrap();
        assert!(check(Path::new("/srv/x"), &dir, false).unwrap_err().contains("/etc"));
    }

    #[test]
    fn a_home_is_for_reading() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        assert!(check(Path::new("/home/me"), &dir, true).unwrap_err().contains("a home"));
        assert_eq!(check(Path::new("/home/me"), &dir, false), Ok(()));
        assert_eq!(check(Path::new("/home/me/files"), &dir, true), Ok(()));
    }

    #[test]
    fn a_writable_root_holds_not_this_program() {
        let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        let dir = Dir::open_ambient_dir(&folder, cap_std::ambient_authority()).unwrap();
        assert!(check(&folder, &dir, true).unwrap_err().contains("this very program"));
        assert_eq!(check(&folder, &dir, false), Ok(()));
    }
}
