//! depmod beside the other packages' configuration: it reads every kernel module, for seconds, and needs nothing of theirs.
//!
//! The kernel package's postinst calls `depmod VERSION`. While packages are configured, that name leads to a stand-in which
//! notes what is asked; the target's own depmod runs at the same time. Whatever is asked beyond the one run for each
//! kernel (a package that builds modules, say) is done afterwards.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::engine::native::target::Target;
use crate::error::{IoContext, Result};

/// Where the stand-in lies in the target; a `depmod` of its own name there is the real one.
const FOLDER: &str = "run/borg-compose";

/// Search path for maintainer scripts, with the stand-in's folder first.
pub const PATH: &str = "/run/borg-compose/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const STAND_IN: &str = "#!/bin/sh\nprintf '%s\\n' \"$*\" >>/run/borg-compose/asked\n";

/// Runs `configure` with depmod beside it.
pub fn beside(target: &Target, configure: impl FnOnce() -> Result<()>) -> Result<()> {
    let kernels = kernels(&target.root)?;
    if kernels.is_empty() || has_own_rules(&target.root) {
        return configure();
    }
    lay_out(&target.root)?;
    std::thread::scope(|scope| {
        let running =
            scope.spawn(|| kernels.iter().try_for_each(|kernel| depmod(target, std::slice::from_ref(kernel))));
        let configured = configure();
        let done = running.join().unwrap_or_else(|_| Err(crate::Error::internal("running depmod failed")));
        configured.and(done)
    })?;
    for asked in beyond(&fs::read_to_string(target.root.join(FOLDER).join("asked")).unwrap_or_default(), &kernels) {
        depmod(target, &asked)?;
    }
    let folder = target.root.join(FOLDER);
    fs::remove_dir_all(&folder).at("remove", &folder)
}

fn lay_out(root: &Path) -> Result<()> {
    let bin = root.join(FOLDER).join("bin");
    fs::create_dir_all(&bin).at("create", &bin)?;
    let stand_in = bin.join("depmod");
    fs::write(&stand_in, STAND_IN).at("write", &stand_in)?;
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).at("write", &stand_in)?;
    let real = root.join(FOLDER).join("depmod");
    symlink("/usr/sbin/depmod", &real).at("link", &real)
}

fn depmod(target: &Target, args: &[String]) -> Result<()> {
    let argv: Vec<String> = std::iter::once(format!("/{FOLDER}/depmod")).chain(args.iter().cloned()).collect();
    target.run(&argv)
}

/// Kernels whose modules are installed and whose depmod has not run.
fn kernels(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("usr/lib/modules");
    let mut found = Vec::new();
    if !root.join("usr/sbin/depmod").is_file() || !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(&folder).at("read", &folder)? {
        let path = entry.at("read", &folder)?.path();
        if path.join("kernel").is_dir() && !path.join("modules.dep").exists() {
            found.extend(path.file_name().map(|n| n.to_string_lossy().into_owned()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Rules for depmod that are not in their place before their package is configured.
fn has_own_rules(root: &Path) -> bool {
    root.join("etc/depmod.d").read_dir().is_ok_and(|mut entries| entries.next().is_some())
}

/// The calls that the run for each kernel has not answered, in their order.
fn beyond(asked: &str, kernels: &[String]) -> Vec<Vec<String>> {
    let mut open: Vec<&str> = kernels.iter().map(String::as_str).collect();
    let mut left = Vec::new();
    for line in asked.lines() {
        if let Some(place) = open.iter().position(|kernel| *kernel == line) {
            open.swap_remove(place);
        } else {
            left.push(line.split_whitespace().map(str::to_owned).collect());
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_beyond_is_done_again() {
        let kernels = ["6.1-amd64".to_owned(), "6.2-amd64".to_owned()];
        assert!(beyond("6.1-amd64\n6.2-amd64\n", &kernels).is_empty());
        assert!(beyond("", &kernels).is_empty());
        let left = beyond("6.1-amd64\n-a 6.1-amd64\n6.1-amd64\n", &kernels);
        assert_eq!(left, [vec!["-a".to_owned(), "6.1-amd64".to_owned()], vec!["6.1-amd64".to_owned()]]);
    }

    #[test]
    fn a_kernel_is_one_with_modules_and_without_their_index() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["usr/sbin", "usr/lib/modules/6.1/kernel", "usr/lib/modules/6.2/kernel", "usr/lib/modules/empty"]
        {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        assert!(kernels(root.path()).unwrap().is_empty());
        fs::write(root.path().join("usr/sbin/depmod"), "").unwrap();
        fs::write(root.path().join("usr/lib/modules/6.2/modules.dep"), "").unwrap();
        assert_eq!(kernels(root.path()).unwrap(), ["6.1"]);
    }
}
