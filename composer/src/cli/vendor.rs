//! `vendor`: one archive with everything that an image is built from.

use std::path::{Path, PathBuf};

use crate::archive::state::kept;
use crate::archive::vendor::{Contents, Entry, deb, pack};
use crate::archive::{self, Sources};
use crate::cli::answer;
use crate::cli::args::{Global, Vendor};
use crate::cli::lock::{self, Strictness};
use crate::cli::project::{Project, open_store};
use crate::error::Result;
use crate::lock::Lock;
use crate::lock::types::LockedPackage;
use crate::spec::types::ArchiveKind;
use crate::store::Store;
use crate::{Error, parallel};

/// Where the profile goes in the archive.
const PROFILES: &str = "profiles";

pub fn run(args: &Vendor, global: &Global) -> Result<()> {
    let project = Project::open(&args.profile, global)?;
    let name = &project.spec().profile;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("out/{name}.vendor.tar")));
    let store = open_store(global)?;
    let _using = store.lock_shared("in-use", &project.progress)?;
    let _mine = project.alone(&store)?;
    let sources = project.sources(global, args.offline)?;
    let lock = lock::obtain(&project, Strictness::Locked, args.offline, &sources, &store, global)?;
    fetch(&lock, &project, args.offline, &sources, &store)?;
    let contents = contents(&project, &lock, args, &store)?;
    let task = project.progress.bytes("vendor", everything(&lock).map(|p| p.size).sum());
    let packed = pack(&contents, lock.epoch, &store, &output, &task);
    task.finish();
    packed?;
    project.progress.say("vendor", &format!("{} files in {}", contents.len(), output.display()));
    answer(&output)
}

fn everything(lock: &Lock) -> impl Iterator<Item = &LockedPackage> {
    lock.packages.iter().chain(&lock.tools)
}

/// Sees to it that the store holds every package whole: what was corrupted is removed, and comes again.
fn fetch(lock: &Lock, project: &Project, offline: bool, sources: &Sources, store: &Store) -> Result<()> {
    let packages: Vec<&LockedPackage> = everything(lock).collect();
    let bring = || archive::fetch(&packages, &project.spec().archives, sources, store, &project.progress, offline);
    bring()?;
    let whole = parallel::map(&packages, parallel::processors(), |p| store.verify(&p.sha256))?;
    if whole.contains(&false) { bring() } else { Ok(()) }
}

fn contents(project: &Project, lock: &Lock, args: &Vendor, store: &Store) -> Result<Contents> {
    let mut contents = named_files(project)?;
    let (profile, locked) = places(project);
    contents.insert("README".to_owned(), Entry::Bytes(readme(project, args).into_bytes()));
    contents.insert(profile, Entry::Bytes(project.loaded.view.text.clone().into_bytes()));
    contents.insert(locked, Entry::Bytes(crate::lock::file::render(lock)?.into_bytes()));
    contents.extend(project.assets.iter().map(|(path, bytes)| (path.to_owned(), Entry::Bytes(bytes.to_vec()))));
    contents.extend(everything(lock).map(|package| (deb(&package.sha256), Entry::Object(package.sha256))));
    for archive in &lock.archives {
        match kept::files(archive, store)? {
            None => project
                .progress
                .say("vendor", &format!("the indices of {} are left out: the store has them no more", archive.name)),
            Some(files) => contents.extend(
                files
                    .into_iter()
                    .map(|(path, digest)| (format!("indices/{}/{path}", archive.name), Entry::Object(digest))),
            ),
        }
    }
    Ok(contents)
}

/// The profile's path in the archive, and the lock's beside it.
fn places(project: &Project) -> (String, String) {
    let name = stem(project);
    (format!("{PROFILES}/{name}.yaml"), format!("{PROFILES}/{name}.lock"))
}

fn stem(project: &Project) -> String {
    project.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files that the profile names and the image is made of. Password hashes are secrets and no part of the image.
fn named_files(project: &Project) -> Result<Contents> {
    let (profile, spec) = (&project.loaded.profile, project.spec());
    let missing = |path: &str| Error::internal(format!("{path} was named by the profile and not read"));
    let mut named = Contents::new();
    for file in &profile.files {
        let Some(source) = &file.source else { continue };
        let read = spec.files.iter().find(|f| f.path == file.path).ok_or_else(|| missing(source))?;
        named.insert(beside(source), Entry::Bytes(read.bytes.clone()));
    }
    for repository in &profile.repositories {
        let key = spec.archives.iter().find_map(|archive| match &archive.kind {
            ArchiveKind::Extra { key } if archive.name == repository.name => Some(key.clone()),
            _ => None,
        });
        named.insert(beside(&repository.key), Entry::Bytes(key.ok_or_else(|| missing(&repository.key))?.into_bytes()));
    }
    Ok(named)
}

/// The place of a file that the profile names by a path below its own folder.
fn beside(path: &str) -> String {
    let steps: PathBuf = Path::new(path).components().filter(|c| *c != std::path::Component::CurDir).collect();
    format!("{PROFILES}/{}", steps.display())
}

fn readme(project: &Project, args: &Vendor) -> String {
    let mut command = vec!["borg-compose".to_owned(), "build".into(), "--profile".into(), stem(project)];
    let overrides = &args.profile.overrides;
    command.extend(overrides.offline_model.iter().flat_map(|model| ["--offline-model".to_owned(), model.clone()]));
    command.extend(overrides.offline_only.iter().flat_map(|only| ["--offline-only".to_owned(), only.to_string()]));
    command.extend(["--locked", "--offline", "--vendor", "."].map(str::to_owned));
    let command = shlex::try_join(command.iter().map(String::as_str)).unwrap_or_default();
    format!(
        "All that the image `{}` is built from, written by borg-compose {}.\n\n\
         This builds it, without a network, in the folder that the archive was unpacked into:\n\n    {command}\n",
        project.spec().profile,
        env!("CARGO_PKG_VERSION"),
    )
}
