//! What every verb starts from: the store, the assets, and a profile that is read and decided.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::archive::{Sources, Vendor};
use crate::assets::Assets;
use crate::cli::args::{Global, LogFormat, OverrideArgs, ProfileArg};
use crate::error::Result;
use crate::profile::source;
use crate::progress::Progress;
use crate::shared::{Places, Shared};
use crate::spec::files::Secrets;
use crate::spec::{ImageSpec, Loaded, Overrides, Reader};
use crate::store::{Guard, Store};
use crate::workshop::worker;

/// What stands for no snapshot server.
const NO_SNAPSHOT: &str = "none";

pub fn progress(global: &Global) -> Progress {
    Progress::new(global.log_format == LogFormat::Json)
}

/// Where stores are, by the command line and the environment.
fn places(global: &Global) -> Result<Places> {
    let given: Result<Vec<String>> = global.store.iter().map(|text| spelt(text)).collect();
    let variable = std::env::var_os("BORG_STORE").map(|text| spelt(&text)).transpose()?;
    Places::of(&given?, variable.as_deref())
}

fn spelt(text: &OsStr) -> Result<String> {
    let place = Path::new(text);
    utf8(place).map(|()| place.to_string_lossy().into_owned())
}

/// Where the store lies: as asked for, or in the user's cache folder.
pub fn store_root(global: &Global) -> Result<PathBuf> {
    if let Some(root) = places(global)?.folder {
        return Ok(root);
    }
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    cache.map(|c| c.join("borg-compose")).ok_or_else(|| {
        Error::usage("no place for the store: neither HOME nor XDG_CACHE_HOME is set")
            .help("give --store DIR or set BORG_STORE")
    })
}

/// Workers are told of places in JSON, and reproducible names have one spelling.
pub fn utf8(path: &Path) -> Result<()> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Error::usage(format!("the name of {} is not UTF-8", path.display())).help("choose another name")),
    }
}

pub fn open_store(global: &Global) -> Result<Store> {
    let store = Store::open(&store_root(global)?)?;
    // Files of subordinate ids, which a killed run may have left, only a worker can remove.
    store.sweep(worker::remove_folder);
    Ok(store)
}

/// The assets, with what the current folder puts over the embedded ones.
pub fn assets() -> Result<Assets> {
    Assets::load(Path::new("."))
}

/// The reader of profiles; those of a vendor archive come without the files that hold password hashes.
pub fn reader(assets: &Assets, global: &Global) -> Result<Reader> {
    let secrets = if global.vendor.is_some() { Secrets::Elsewhere } else { Secrets::Here };
    Ok(Reader::new(assets)?.secrets(secrets))
}

/// What the command line or the environment puts over a profile; an empty model counts as none given.
pub fn overrides(args: &OverrideArgs) -> Overrides {
    let offline_model = args.offline_model.clone().filter(|model| !model.is_empty());
    Overrides { offline_model, offline_only: args.offline_only }
}

/// A profile with everything around it.
#[derive(Debug)]
pub struct Project {
    pub path: PathBuf,
    pub loaded: Loaded,
    pub assets: Assets,
    pub progress: Progress,
}

impl Project {
    pub fn open(args: &ProfileArg, global: &Global) -> Result<Self> {
        let path = source::find(&args.profile, Path::new("."))?;
        let assets = assets()?;
        let loaded = reader(&assets, global)?.load(&path, &overrides(&args.overrides))?;
        Ok(Project { path, loaded, assets, progress: progress(global) })
    }

    pub fn spec(&self) -> &ImageSpec {
        &self.loaded.spec
    }

    /// Waits until no other run builds or locks this profile, and keeps others waiting.
    pub fn alone(&self, store: &Store) -> Result<Guard> {
        store.lock(&format!("build-{}", self.spec().profile), "another run with this profile", &self.progress)
    }

    /// Where packages come from: the vendor archive, the shared store, the profile's mirrors, the host's and Debian's, the
    /// snapshot server. When no network may be touched, a shared store counts only if it is a folder.
    pub fn sources(&self, global: &Global, offline: bool) -> Result<Sources> {
        let mirrors: Vec<String> = self.loaded.profile.mirrors.iter().map(|m| m.0.clone()).collect();
        let vendor = global.vendor.as_deref().map(Vendor::open).transpose()?;
        let snapshot = Some(global.snapshot.clone()).filter(|server| server != NO_SNAPSHOT);
        let shared = places(global)?.shared.map(|address| Shared::open(&address, &self.progress)).transpose()?;
        let shared = shared.filter(|shared| {
            let asked = !offline || shared.is_local();
            if !asked {
                self.progress.say("shared", &format!("{} is left alone: no network is touched", shared.place()));
            }
            asked
        });
        Ok(Sources::of_host(&mirrors).with(vendor, snapshot).sharing(shared))
    }

    /// The lock lies beside the profile.
    pub fn lock_path(&self) -> PathBuf {
        self.path.with_extension("lock")
    }
}
