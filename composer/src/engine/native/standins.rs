//! Programs that maintainer scripts wait for, at a better time.
//!
//! depmod reads every kernel module and `systemd-hwdb` every description of hardware; neither needs anything of the other
//! packages' configuration, so both run beside it. `update-ca-certificates` is called twice and needs to run once: when it is
//! first asked for, beside what is still to be configured. While packages are configured these names lead to stand-ins which
//! note what is asked; whatever is asked beyond what is done so is done afterwards.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use walkdir::WalkDir;

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
    /// It makes certificates: everything anew from what there is, so one call does what all do unless that changes.
    certificates: bool,
    /// Its caller goes on when it fails.
    may_fail: bool,
}

/// What certificates are made from; hooks may need what is not configured yet.
const CERTIFICATES: [&str; 3] =
    ["etc/ca-certificates.conf", "usr/share/ca-certificates", "usr/local/share/ca-certificates"];
const CERTIFICATE_HOOKS: &str = "etc/ca-certificates/update.d";
/// Calls that do the same as long as there are no hooks: the package's script's and its trigger's.
const CERTIFICATE_CALLS: [&[&str]; 2] = [&["--hooksdir", ""], &[]];

/// How often a stand-in's notes are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What there was to make certificates from.
#[derive(Debug, PartialEq, Eq)]
struct Certificates(Vec<(PathBuf, u64, i64, i64)>);

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
        let made = self.beside(target, &stand_ins, configure)?;
        for stand_in in &stand_ins {
            let mut left = beyond(asked(&target.root, stand_in.name), stand_in.early.clone());
            if stand_in.certificates {
                left.drain(..left.len().saturating_sub(1));
                left.retain(|args| !made.as_ref().is_some_and(|made| made.hold(args, &target.root)));
            }
            self.call_all(target, stand_in, &left)?;
        }
        let folder = target.root.join(OURS);
        fs::remove_dir_all(&folder).at("remove", &folder)
    }

    /// Runs `configure` with the early calls beside it, and certificates as soon as somebody asks for them; answers with what
    /// those were made from.
    fn beside(
        &self,
        target: &Target,
        stand_ins: &[StandIn],
        configure: impl FnOnce() -> Result<()>,
    ) -> Result<Option<Certificates>> {
        let over = AtomicBool::new(false);
        let failed = || crate::Error::internal("what runs beside the configuration failed");
        std::thread::scope(|scope| {
            let early = scope.spawn(|| stand_ins.iter().try_for_each(|it| self.call_all(target, it, &it.early)));
            let certificates = stand_ins.iter().find(|it| it.certificates);
            let certificates = certificates.map(|it| scope.spawn(|| self.when_asked(target, it, &over)));
            let configured = configure();
            over.store(true, Ordering::Relaxed);
            let early = early.join().unwrap_or_else(|_| Err(failed()));
            let made = certificates.map_or(Ok(None), |making| making.join().unwrap_or_else(|_| Err(failed())));
            configured.and(early).and(made)
        })
    }

    fn stand_ins(&self, root: &Path) -> Result<Vec<StandIn>> {
        let kernels = if has_own_rules(root) { Vec::new() } else { kernels(root)? };
        let depmod = StandIn {
            name: "depmod",
            program: "/usr/sbin/depmod",
            early: kernels.into_iter().map(|kernel| vec![kernel]).collect(),
            certificates: false,
            may_fail: false,
        };
        let hwdb = StandIn {
            name: "systemd-hwdb",
            program: "/usr/bin/systemd-hwdb",
            early: vec![["--usr", "update"].map(str::to_owned).to_vec()],
            certificates: false,
            may_fail: true,
        };
        let certificates = StandIn {
            name: "update-ca-certificates",
            program: "/usr/sbin/update-ca-certificates",
            early: Vec::new(),
            certificates: true,
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

    /// Makes certificates as soon as somebody asks for them.
    fn when_asked(&self, target: &Target, stand_in: &StandIn, over: &AtomicBool) -> Result<Option<Certificates>> {
        loop {
            // Before the notes: what is asked at the very end is seen.
            let last = over.load(Ordering::Relaxed);
            if let Some(args) = asked(&target.root, stand_in.name).into_iter().next() {
                let from = Certificates::of(&target.root);
                if !from.hold(&args, &target.root) {
                    return Ok(None);
                }
                self.call(target, stand_in, &args)?;
                return Ok(Some(from));
            }
            if last {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
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

impl Certificates {
    /// Another one when a file there is another.
    fn of(root: &Path) -> Self {
        let files = CERTIFICATES.iter().flat_map(|place| WalkDir::new(root.join(place)).sort_by_file_name());
        let one = |entry: walkdir::DirEntry| {
            let meta = entry.metadata().ok()?;
            Some((entry.into_path(), meta.len(), meta.mtime(), meta.mtime_nsec()))
        };
        Certificates(files.filter_map(|entry| one(entry.ok()?)).collect())
    }

    /// Whether this call would make the same from them as any other.
    fn hold(&self, args: &[String], root: &Path) -> bool {
        let plain = CERTIFICATE_CALLS.iter().any(|call| call.iter().eq(args));
        plain && !has_entries(&root.join(CERTIFICATE_HOOKS)) && *self == Certificates::of(root)
    }
}

fn has_entries(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_some())
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
    has_entries(&root.join("etc/depmod.d"))
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
    fn certificates_hold_until_what_they_are_made_from_changes() {
        let root = tempfile::tempdir().unwrap();
        let conf = root.path().join("etc/ca-certificates.conf");
        fs::create_dir_all(root.path().join("etc/ca-certificates")).unwrap();
        fs::write(&conf, "a").unwrap();
        let made = Certificates::of(root.path());
        let holds = |args: &[&str]| made.hold(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>(), root.path());
        assert!(holds(&[]) && holds(&["--hooksdir", ""]) && !holds(&["--fresh"]));
        fs::create_dir(root.path().join("etc/ca-certificates/update.d")).unwrap();
        assert!(holds(&[]));
        fs::write(root.path().join("etc/ca-certificates/update.d/java"), "").unwrap();
        assert!(!holds(&[]));
        fs::remove_file(root.path().join("etc/ca-certificates/update.d/java")).unwrap();
        fs::write(&conf, "ab").unwrap();
        assert!(!holds(&[]));
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
