//! Installing packages with dpkg: one unpack, one configure, unless their scripts rely on more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::engine::job::Deb;
use crate::engine::native::accounts;
use crate::engine::native::order::{self, Needs};
use crate::engine::native::quick::Quick;
use crate::engine::native::standins::{self, Beside};
use crate::engine::native::target::Target;
use crate::engine::ready;
use crate::error::{IoContext, Result};
use crate::lock::types::Ids;
use crate::store::Store;
use crate::{Error, Kind, archive, parallel, workshop};

/// The folders and files that dpkg wants to find.
const ADMIN_FOLDERS: [&str; 4] = ["info", "updates", "triggers", "alternatives"];

/// Unpacks the essential packages so that maintainer scripts find a shell; dpkg installs them properly afterwards.
pub fn bootstrap(root: &Path, essential: &[Deb], epoch: u64, store: &Store) -> Result<()> {
    workshop::tools::merge_usr(root)?;
    parallel::map(essential, parallel::processors(), |deb| {
        archive::deb::unpack(&ready::object(&deb.sha256, store)?, root)
    })?;
    // Which of several packages was the last to put something into a folder is chance.
    set_folder_times(root, UNIX_EPOCH + Duration::from_secs(epoch))?;
    let admin = root.join("var/lib/dpkg");
    for folder in ADMIN_FOLDERS {
        let path = admin.join(folder);
        fs::create_dir_all(&path).at("create", &path)?;
    }
    for file in ["status", "available"] {
        let path = admin.join(file);
        fs::write(&path, "").at("write", &path)?;
    }
    Ok(())
}

fn set_folder_times(folder: &Path, time: SystemTime) -> Result<()> {
    for entry in fs::read_dir(folder).at("read", folder)? {
        let entry = entry.at("read", folder)?;
        if entry.file_type().at("read", folder)?.is_dir() {
            set_folder_times(&entry.path(), time)?;
        }
    }
    fs::File::open(folder).and_then(|f| f.set_modified(time)).at("write", folder)
}

/// Unpacks all of the base system, then configures all. Pre-Depends are met by order of names only, which the one
/// configure run makes good: the scripts that need them configured are those of essential packages, whose files are
/// already there.
///
/// `ids` are numbers that users and groups must get.
pub fn install_base(target: &Target, debs: &[&Deb], ids: Option<&Ids>, quick: &Quick, store: &Store) -> Result<()> {
    at_once(target, &paths(&in_order(debs), store)?, ids, &Beside { quick, base: true })
}

/// Installs packages on the base system, whatever their scripts rely on.
pub fn install(target: &Target, debs: &[&Deb], ids: Option<&Ids>, quick: &Quick, store: &Store) -> Result<()> {
    let paths = paths(&in_order(debs), store)?;
    let needs = parallel::map(&paths, parallel::processors(), |path| Needs::read(path))?;
    for stage in order::stages(&needs) {
        let stage: Vec<PathBuf> = stage.into_iter().filter_map(|place| paths.get(place).cloned()).collect();
        at_once(target, &stage, ids, &Beside { quick, base: false })?;
    }
    Ok(())
}

fn paths(debs: &[&Deb], store: &Store) -> Result<Vec<PathBuf>> {
    debs.iter().map(|deb| ready::object(&deb.sha256, store)).collect()
}

fn at_once(target: &Target, paths: &[PathBuf], ids: Option<&Ids>, beside: &Beside<'_>) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    dpkg(target).arg("--unpack").args(paths).run().map_err(|e| name_package(e, "unpacked"))?;
    // The initrd is made once, at the end, whatever the packages' triggers ask for.
    let mask = target.mask("usr/sbin/update-initramfs")?;
    let pools = ids.map(|ids| accounts::lay_out(ids, target)).transpose()?.flatten();
    let configured = beside.run(target, || {
        let configure = dpkg(target).env("PATH", standins::PATH).args(["--configure", "-a"]);
        configure.run().map_err(|e| name_package(e, "configured"))
    });
    for mask in mask.into_iter().chain(pools) {
        mask.lift()?;
    }
    configured
}

/// By name, but first those whose preinst makes what the others' rely on: the root's folders and /etc/passwd.
fn in_order<'a>(debs: &[&'a Deb]) -> Vec<&'a Deb> {
    let mut sorted: Vec<&Deb> = debs.to_vec();
    let rank = |name: &str| ["base-files", "base-passwd"].iter().position(|n| *n == name).unwrap_or(2);
    sorted.sort_by(|a, b| (rank(&a.name), &a.name).cmp(&(rank(&b.name), &b.name)));
    sorted
}

fn dpkg(target: &Target) -> crate::workshop::Run {
    let root = format!("--root={}", target.root.display());
    target.tool("dpkg").arg(root).args([
        "--force-unsafe-io",
        "--force-depends",
        "--force-confdef",
        "--force-confold",
        // Its last words are then those of the package that failed.
        "--abort-after=1",
        "--no-pager",
        // The image starts with empty logs, and /var/log may not be there yet.
        "--log=/dev/null",
    ])
}

/// Says which package failed, if dpkg did: its own word is a line that starts with `dpkg: error processing package`.
fn name_package(error: Error, deed: &str) -> Error {
    if error.kind() != Kind::Package {
        return error;
    }
    let named = error.causes().iter().find_map(|text| text.lines().find_map(failed_package));
    let message = match named {
        Some(package) => format!("the package {package} cannot be {deed}"),
        None => format!("the packages cannot be {deed}"),
    };
    let causes = error.causes().to_vec();
    causes.into_iter().fold(Error::package(message), Error::detail).help(
        "its own script failed: leave the package out, take another version with `lock --update`, or report the fault to its maintainers",
    )
}

/// `dpkg: error processing package NAME (--configure):`, or `archive PATH (--unpack):`.
fn failed_package(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("dpkg: error processing ")?;
    rest.strip_prefix("package ").unwrap_or(rest).split(" (--").next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failed_package_is_named() {
        let lines = "Setting up x\ndpkg: error processing package x (--configure):\n installed x package";
        let error = Error::package("dpkg failed").detail(lines);
        assert_eq!(name_package(error, "configured").to_string(), "the package x cannot be configured");
        let error = name_package(Error::host("dpkg failed").detail(lines), "configured");
        assert_eq!(error.kind(), Kind::Host);
    }
}
