//! Programs that maintainer scripts wait for, at a better time.
//!
//! depmod reads every kernel module and `systemd-hwdb` every description of hardware; neither needs anything of the other
//! packages' configuration, so both run beside it. `update-ca-certificates` is called twice and needs to run once, at the
//! end. While packages are configured these names lead to stand-ins which note what is asked; whatever is asked beyond what
//! is done so is done afterwards.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::engine::native::target::Target;
use crate::error::{IoContext, Result};

/// Where the stand-ins lie in the target; a `depmod` of its own name there is the real one.
pub const FOLDER: &str = "run/borg-compose";

/// Search path for maintainer scripts, with the stand-ins' folder first.
pub const PATH: &str = "/run/borg-compose/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const HWDB: &str = "systemd-hwdb";
const HWDB_CALL: &str = "--usr update";
const CERTIFICATES: &str = "update-ca-certificates";

/// What stands in for programs during one configuration.
#[derive(Debug, Default)]
struct Plan {
    /// Kernels to run depmod for.
    kernels: Vec<String>,
    hwdb: bool,
    certificates: bool,
}

impl Plan {
    /// `known` packages are those of the base layer: what their scripts make of certificates and hardware is known.
    fn of(root: &Path, known: bool) -> Result<Self> {
        let kernels = if has_own_rules(root) { Vec::new() } else { kernels(root)? };
        let udev = fs::read_to_string(root.join("var/lib/dpkg/info/udev.postinst")).unwrap_or_default();
        let hwdb =
            known && udev.contains(&format!("{HWDB} {HWDB_CALL}")) && !root.join("usr/lib/udev/hwdb.bin").exists();
        let certificates = known && root.join("usr/sbin").join(CERTIFICATES).is_file();
        Ok(Plan { kernels, hwdb, certificates })
    }

    fn stand_ins(&self) -> Vec<&'static str> {
        let all = [(!self.kernels.is_empty(), "depmod"), (self.hwdb, HWDB), (self.certificates, CERTIFICATES)];
        all.into_iter().filter_map(|(wanted, name)| wanted.then_some(name)).collect()
    }
}

/// Runs `configure` with other programs beside it and after it.
pub fn beside(target: &Target, known: bool, configure: impl FnOnce() -> Result<()>) -> Result<()> {
    let plan = Plan::of(&target.root, known)?;
    let names = plan.stand_ins();
    if names.is_empty() {
        return configure();
    }
    lay_out(&target.root, &names)?;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            plan.kernels.iter().try_for_each(|kernel| index(target, kernel))?;
            if plan.hwdb {
                // As its package has it: `|| true`.
                let _ = call(target, &format!("/usr/bin/{HWDB}"), &words(HWDB_CALL));
            }
            Ok(())
        });
        let configured = configure();
        let done = running.join().unwrap_or_else(|_| Err(crate::Error::internal("running depmod failed")));
        configured.and(done)
    })?;
    let answered: Vec<Vec<String>> = plan.kernels.iter().map(|kernel| words(kernel)).collect();
    for args in beyond(asked(&target.root, "depmod"), answered) {
        call(target, &format!("/{FOLDER}/depmod"), &args)?;
    }
    for args in beyond(asked(&target.root, HWDB), vec![words(HWDB_CALL)]) {
        let _ = call(target, &format!("/usr/bin/{HWDB}"), &args);
    }
    // It makes everything anew from what there is, so the last call does what all do.
    if let Some(args) = asked(&target.root, CERTIFICATES).last() {
        call(target, &format!("/usr/sbin/{CERTIFICATES}"), args)?;
    }
    let folder = target.root.join(FOLDER);
    fs::remove_dir_all(&folder).at("remove", &folder)
}

fn lay_out(root: &Path, names: &[&str]) -> Result<()> {
    let bin = root.join(FOLDER).join("bin");
    fs::create_dir_all(&bin).at("create", &bin)?;
    for name in names {
        let stand_in = bin.join(name);
        // The number of arguments, and then each of them, empty ones too.
        let text = format!("#!/bin/sh\n{{ printf '%s\\037' \"$#\" \"$@\"; echo; }} >>/{FOLDER}/asked-{name}\n");
        fs::write(&stand_in, text).at("write", &stand_in)?;
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).at("write", &stand_in)?;
    }
    let real = root.join(FOLDER).join("depmod");
    symlink("/usr/sbin/depmod", &real).at("link", &real)
}

/// What a stand-in was asked: the arguments of each call.
fn asked(root: &Path, name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root.join(FOLDER).join(format!("asked-{name}"))).unwrap_or_default();
    calls(&text)
}

fn calls(text: &str) -> Vec<Vec<String>> {
    let args = |line: &str| {
        let mut fields = line.split('\u{1f}');
        let count = fields.next()?.parse().ok()?;
        Some(fields.take(count).map(str::to_owned).collect())
    };
    text.lines().filter_map(args).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn index(target: &Target, kernel: &str) -> Result<()> {
    if target.quick.index(target, kernel)? {
        Ok(())
    } else {
        call(target, &format!("/{FOLDER}/depmod"), &words(kernel))
    }
}

fn call(target: &Target, program: &str, args: &[String]) -> Result<()> {
    let argv: Vec<String> = std::iter::once(program.to_owned()).chain(args.iter().cloned()).collect();
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

/// The calls that those which are answered already leave, in their order.
fn beyond(asked: Vec<Vec<String>>, mut answered: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut left = Vec::new();
    for call in asked {
        if let Some(place) = answered.iter().position(|done| *done == call) {
            answered.swap_remove(place);
        } else {
            left.push(call);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_beyond_is_done_again() {
        let kernels = || vec![words("6.1-amd64"), words("6.2-amd64")];
        assert!(beyond(kernels(), kernels()).is_empty());
        assert!(beyond(Vec::new(), kernels()).is_empty());
        let asked = vec![words("6.1-amd64"), words("-a 6.1-amd64"), words("6.1-amd64")];
        assert_eq!(beyond(asked, kernels()), [words("-a 6.1-amd64"), words("6.1-amd64")]);
    }

    #[test]
    fn a_stand_in_notes_every_argument() {
        let root = tempfile::tempdir().unwrap();
        lay_out(root.path(), &["tool"]).unwrap();
        let stand_in = root.path().join(FOLDER).join("bin/tool");
        let note = root.path().join("note");
        // Outside of the target it would write elsewhere.
        let text =
            fs::read_to_string(&stand_in).unwrap().replace(&format!("/{FOLDER}/asked-tool"), note.to_str().unwrap());
        fs::write(&stand_in, text).unwrap();
        for args in [&["--hooksdir", ""][..], &[], &["a b", "*"]] {
            assert!(duct::cmd(&stand_in, args).run().unwrap().status.success());
        }
        let noted = calls(&fs::read_to_string(&note).unwrap());
        assert_eq!(
            noted,
            [vec!["--hooksdir".to_owned(), String::new()], vec![], vec!["a b".to_owned(), "*".to_owned()]]
        );
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
