//! Programs that maintainer scripts wait for, at a better time.
//!
//! depmod reads every kernel module and `systemd-hwdb` every description of hardware; neither needs anything of the other
//! packages' configuration, so both run beside it. `update-ca-certificates` is called twice and needs to run once, at the
//! end. While packages are configured these names lead to stand-ins which note what is asked; whatever is asked beyond what
//! is done so is done afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::engine::native::quick::Quick;
use crate::engine::native::target::{OURS, Target};
use crate::error::{IoContext, Result};

/// Search path for maintainer scripts, with the stand-ins' folder first.
pub const PATH: &str = "/run/borg-compose/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program, and what becomes of the calls that maintainer scripts make of it.
#[derive(Debug)]
struct StandIn {
    name: &'static str,
    /// Where the program itself is in the target.
    program: &'static str,
    /// Calls that are made beside the configuration, and need not be made again when they are asked for.
    early: Vec<Vec<String>>,
    /// It makes everything anew from what there is, so the last call does what all do.
    once: bool,
    /// Its caller goes on when it fails.
    may_fail: bool,
}

/// What is known of the packages that are configured.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    pub quick: &'a Quick,
    /// They are those of the base layer: what their scripts make of certificates and hardware is known.
    pub base: bool,
}

impl Beside<'_> {
    /// Runs `configure` with other programs beside it and after it.
    pub fn run(&self, target: &Target, configure: impl FnOnce() -> Result<()>) -> Result<()> {
        let stand_ins = self.stand_ins(&target.root)?;
        if stand_ins.is_empty() {
            return configure();
        }
        lay_out(&target.root, stand_ins.iter().map(|stand_in| stand_in.name))?;
        std::thread::scope(|scope| {
            let early = || stand_ins.iter().try_for_each(|it| self.call_all(target, it, &it.early));
            let running = scope.spawn(early);
            let configured = configure();
            let failed = || Err(crate::Error::internal("what runs beside the configuration failed"));
            configured.and(running.join().unwrap_or_else(|_| failed()))
        })?;
        for stand_in in &stand_ins {
            let mut left = beyond(asked(&target.root, stand_in.name), stand_in.early.clone());
            if stand_in.once {
                left.drain(..left.len().saturating_sub(1));
            }
            self.call_all(target, stand_in, &left)?;
        }
        let folder = target.root.join(OURS);
        fs::remove_dir_all(&folder).at("remove", &folder)
    }

    fn stand_ins(&self, root: &Path) -> Result<Vec<StandIn>> {
        let kernels = if has_own_rules(root) { Vec::new() } else { kernels(root)? };
        let depmod = StandIn {
            name: "depmod",
            program: "/usr/sbin/depmod",
            early: kernels.into_iter().map(|kernel| vec![kernel]).collect(),
            once: false,
            may_fail: false,
        };
        let hwdb = StandIn {
            name: "systemd-hwdb",
            program: "/usr/bin/systemd-hwdb",
            early: vec![["--usr", "update"].map(str::to_owned).to_vec()],
            once: false,
            may_fail: true,
        };
        let certificates = StandIn {
            name: "update-ca-certificates",
            program: "/usr/sbin/update-ca-certificates",
            early: Vec::new(),
            once: true,
            may_fail: false,
        };
        let udev = fs::read_to_string(root.join("var/lib/dpkg/info/udev.postinst")).unwrap_or_default();
        let wanted = [
            (!depmod.early.is_empty(), depmod),
            (self.base && udev.contains("systemd-hwdb --usr update"), hwdb),
            (self.base, certificates),
        ];
        let there = |it: &StandIn| root.join(it.program.trim_start_matches('/')).is_file();
        Ok(wanted.into_iter().filter_map(|(wanted, it)| (wanted && there(&it)).then_some(it)).collect())
    }

    fn call_all(&self, target: &Target, stand_in: &StandIn, calls: &[Vec<String>]) -> Result<()> {
        for args in calls {
            let done = self.call(target, stand_in, args);
            if !stand_in.may_fail {
                done?;
            }
        }
        Ok(())
    }

    fn call(&self, target: &Target, stand_in: &StandIn, args: &[String]) -> Result<()> {
        if let ("depmod", [kernel]) = (stand_in.name, args)
            && self.quick.index(target, kernel)?
        {
            return Ok(());
        }
        let argv: Vec<String> = std::iter::once(stand_in.program.to_owned()).chain(args.iter().cloned()).collect();
        target.run(&argv)
    }
}

fn lay_out(root: &Path, names: impl Iterator<Item = &'static str>) -> Result<()> {
    let bin = root.join(OURS).join("bin");
    fs::create_dir_all(&bin).at("create", &bin)?;
    for name in names {
        let stand_in = bin.join(name);
        // The number of arguments, and then each of them, empty ones too.
        let text = format!("#!/bin/sh\n{{ printf '%s\\037' \"$#\" \"$@\"; echo; }} >>/{OURS}/asked-{name}\n");
        fs::write(&stand_in, text).at("write", &stand_in)?;
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).at("write", &stand_in)?;
    }
    Ok(())
}

/// What a stand-in was asked: the arguments of each call.
fn asked(root: &Path, name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root.join(OURS).join(format!("asked-{name}"))).unwrap_or_default();
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

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

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
        lay_out(root.path(), std::iter::once("tool")).unwrap();
        let stand_in = root.path().join(OURS).join("bin/tool");
        let note = root.path().join("note");
        // Outside of the target it would write elsewhere.
        let text =
            fs::read_to_string(&stand_in).unwrap().replace(&format!("/{OURS}/asked-tool"), note.to_str().unwrap());
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
