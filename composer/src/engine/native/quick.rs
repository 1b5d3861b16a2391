//! The kernel's modules in the form that is read fast, shown to depmod and mkinitramfs in the place of the target's own.
//!
//! Nothing relies on it: a target with other modules than the packages', or with a kmod that goes by names, is read as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use walkdir::WalkDir;

use crate::Digest;
use crate::engine::native::target::{OURS, Target};
use crate::engine::quick;
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::{self, Voice, namespaces};

/// Where the target's own modules are seen while the others cover them, and what says that they were put back; below [`OURS`].
const OWN: &str = "own";
const RESTORED: &str = "restored";
/// How many modules a target's depmod is tried with.
const SAMPLE: usize = 16;

/// Modules of the packages, below the work space once they are unpacked.
#[derive(Debug)]
pub struct Quick {
    archives: Vec<PathBuf>,
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the archives could be unpacked, once that was tried.
    unpacked: Option<bool>,
    /// Whether depmod reads a kernel's modules by what is in them, where it was tried.
    proven: BTreeMap<String, bool>,
}

impl Quick {
    pub fn new(modules: &[Digest], store: &Store) -> Self {
        let archives = modules.iter().map(|digest| store.object(digest)).collect();
        Quick { archives, folder: Path::new(workshop::WORK).join("modules"), state: Mutex::default() }
    }

    /// Unpacks the archives, for which whoever asks for the modules waits.
    pub fn prepare(&self) {
        drop(self.ready());
    }

    fn ready(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unpacked.get_or_insert_with(|| self.unpack().is_ok());
        state
    }

    /// Makes the indices of a kernel's modules as `depmod VERSION` does; false if that has to be called.
    pub fn index(&self, target: &Target, kernel: &str) -> Result<bool> {
        if !self.fits(target, kernel) {
            return Ok(false);
        }
        let own = modules(&target.root, kernel);
        let place = Place::new(target, "index", kernel)?;
        let given = plain_files(&own)?;
        for name in &given {
            copy(&own.join(name), &place.modules.join(name))?;
        }
        let covered = place.modules.join("kernel");
        fs::create_dir_all(&covered).at("create", &covered)?;
        namespaces::bind(&self.folder.join(kernel).join("kernel"), &covered, false)?;
        let done = place.depmod(target, kernel);
        namespaces::detach(&covered)?;
        done?;
        for name in plain_files(&place.modules)?.difference(&given) {
            copy(&place.modules.join(name), &own.join(name))?;
        }
        Ok(true)
    }

    /// Runs `mkinitramfs` with the modules covered; false if it must be run once more without.
    ///
    /// It calls depmod when it has gathered everything, and then the target's own modules come back.
    pub fn covered(&self, target: &Target, kernel: &str, mkinitramfs: impl FnOnce() -> Result<()>) -> Result<bool> {
        let program = target.root.join("usr/sbin/depmod");
        let Ok(link) = fs::read_link(&program) else { return Ok(false) };
        if !self.fits(target, kernel) {
            return Ok(false);
        }
        let run = target.root.join(OURS);
        let (own, kept) = (modules(&target.root, kernel).join("kernel"), run.join(OWN));
        fs::create_dir_all(&kept).at("create", &kept)?;
        namespaces::bind(&own, &kept, false)?;
        namespaces::bind(&self.folder.join(kernel).join("kernel"), &own, false)?;
        // A link is looked up from where it lies.
        let (real, name) = (Path::new("/usr/sbin").join(&link), run.join("depmod"));
        symlink(&real, &name).at("link", &name)?;
        fs::remove_file(&program).at("remove", &program)?;
        fs::write(&program, stand_in()).at("write", &program)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).at("write", &program)?;

        let made = mkinitramfs();
        fs::remove_file(&program).at("remove", &program)?;
        symlink(&link, &program).at("link", &program)?;
        namespaces::detach(&own)?;
        namespaces::detach(&kept)?;
        // mkinitramfs goes on when depmod fails; so the mark counts, which is made when all are back.
        let whole = made.is_ok() && run.join(RESTORED).exists();
        fs::remove_dir_all(&run).at("remove", &run)?;
        if !whole {
            Voice.say("initrd", "once more, with the kernel's modules as they came");
        }
        Ok(whole)
    }

    /// True if these are the modules that the target has, and its depmod makes the same of both. Nothing that goes wrong on
    /// the way is more than a reason to do without.
    fn fits(&self, target: &Target, kernel: &str) -> bool {
        let mut state = self.ready();
        let unpacked = state.unpacked == Some(true);
        let same = || self.same_modules(target, kernel).ok().flatten();
        let Some(names) = unpacked.then(same).flatten() else { return false };
        if let Some(proven) = state.proven.get(kernel) {
            return *proven;
        }
        let proven = self.try_depmod(target, kernel, &names).unwrap_or(false);
        state.proven.insert(kernel.to_owned(), proven);
        proven
    }

    fn unpack(&self) -> Result<()> {
        let done = self.archives.iter().try_for_each(|archive| quick::unpack(archive, &self.folder));
        if done.is_err() {
            // It may be the space that is lacking.
            let _ = fs::remove_dir_all(&self.folder);
        }
        done
    }

    /// The kernel's modules, if they are those of the archives in name and in length.
    fn same_modules(&self, target: &Target, kernel: &str) -> Result<Option<BTreeSet<PathBuf>>> {
        let (own, ours) = (modules(&target.root, kernel), self.folder.join(kernel).join("kernel"));
        let names = files(&own.join("kernel"))?;
        if names.is_empty() || !only_kernel(&own)? || names != files(&ours)? {
            return Ok(None);
        }
        for name in &names {
            let path = own.join("kernel").join(name);
            let meta = fs::symlink_metadata(&path).at("read", &path)?;
            if !meta.is_file() || quick::length(&ours.join(name))? != meta.len() {
                return Ok(None);
            }
        }
        Ok(Some(names))
    }

    /// Has the target's depmod read some modules in both forms.
    fn try_depmod(&self, target: &Target, kernel: &str, names: &BTreeSet<PathBuf>) -> Result<bool> {
        let own = modules(&target.root, kernel).join("kernel");
        let sample: Vec<&PathBuf> = names.iter().step_by(names.len().div_ceil(SAMPLE)).collect();
        let read = |name: &str, from: &Path| -> Result<Option<BTreeMap<String, Vec<u8>>>> {
            let place = Place::new(target, name, kernel)?;
            for module in &sample {
                copy(&from.join(module), &place.modules.join("kernel").join(module))?;
            }
            if place.depmod(target, kernel).is_err() {
                return Ok(None);
            }
            let made = plain_files(&place.modules)?.into_iter();
            let content = |name: String| {
                let path = place.modules.join(&name);
                fs::read(&path).at("read", &path).map(|bytes| (name, bytes))
            };
            made.map(content).collect::<Result<_>>().map(Some)
        };
        let (slow, quick) = (read("slow", &own)?, read("quick", &self.folder.join(kernel).join("kernel"))?);
        // One that reads nothing makes the same of everything.
        let telling = |made: &BTreeMap<String, Vec<u8>>| {
            made.get("modules.alias").is_some_and(|text| text.split(|byte| *byte == b'\n').count() > 2)
        };
        Ok(slow.as_ref().is_some_and(telling) && slow == quick)
    }
}

/// A root within the target for depmod alone.
struct Place {
    name: String,
    modules: PathBuf,
}

impl Place {
    fn new(target: &Target, name: &str, kernel: &str) -> Result<Self> {
        let name = format!("{name}-{kernel}");
        let root = target.root.join(OURS).join(&name);
        let modules = modules(&root, kernel);
        fs::create_dir_all(&modules).at("create", &modules)?;
        let lib = root.join("lib");
        symlink("usr/lib", &lib).at("link", &lib)?;
        Ok(Place { name: format!("/{OURS}/{name}"), modules })
    }

    fn depmod(&self, target: &Target, kernel: &str) -> Result<()> {
        target.run(&["/usr/sbin/depmod".into(), "-b".into(), self.name.clone(), kernel.to_owned()])
    }
}

fn modules(root: &Path, kernel: &str) -> PathBuf {
    root.join("usr/lib/modules").join(kernel)
}

/// What mkinitramfs runs as `depmod -a -b FOLDER VERSION`. Times of the folders do not matter: it sets them afterwards.
fn stand_in() -> String {
    format!(
        r#"#!/bin/sh
set -e
/{OURS}/depmod "$@"
[ "$#" = 4 ] && [ "$1 $2" = "-a -b" ] || exit 0
cd "$3/usr/lib/modules/$4/kernel"
find . -type f -name '*.ko.xz' -print0 >/{OURS}/modules
{{ tar -C /{OURS}/{OWN} --null -T /{OURS}/modules -cf - && : >/{OURS}/read; }} | tar -xpf -
[ -e /{OURS}/read ]
: >/{OURS}/{RESTORED}
"#
    )
}

/// True if the kernel's folder holds no other modules, such as `updates`, than those of its package.
fn only_kernel(folder: &Path) -> Result<bool> {
    let mut entries = fs::read_dir(folder).at("read", folder)?;
    entries.try_fold(true, |only, entry| {
        let entry = entry.at("read", folder)?;
        Ok(only && (entry.file_name() == "kernel" || !entry.path().is_dir()))
    })
}

/// The names of the plain files in a folder that are depmod's business. Others may come and go beside it.
fn plain_files(folder: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).at("read", folder)? {
        let entry = entry.at("read", folder)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("modules.") && entry.path().is_file() {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Everything below a folder that is not a folder, by its path from there.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for entry in WalkDir::new(folder) {
        let entry = entry.map_err(std::io::Error::from).at("read", folder)?;
        if !entry.file_type().is_dir() {
            found.insert(entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_owned());
        }
    }
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).at("create", folder)?;
    }
    fs::copy(from, to).map(drop).at("copy", from)
}
