//! The folder that plugins lie in.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::guard::{self, Want};
use crate::{Fingerprint, Kind, Manifest, Name, Program};

/// The most bytes of a manifest.
const MANIFEST: u64 = 64 * 1024;

/// The folder of all plugins, held open: what is looked up in it is in this very folder. Open it anew for each look, since
/// a folder that was replaced is another one.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    pub(crate) root: File,
}

impl Folder {
    /// Opens the folder at `path`, which none but root may write.
    pub fn open(path: &Path) -> Result<Self, String> {
        let fault = |why: String| format!("the plugins' folder {}: {why}", path.display());
        let absolute = std::path::absolute(path).map_err(|e| fault(e.to_string()))?;
        let root = File::open(&absolute).map_err(|e| fault(e.to_string()))?;
        let metadata = root.metadata().map_err(|e| fault(e.to_string()))?;
        if !metadata.is_dir() {
            return Err(fault("is no folder".into()));
        }
        guard::trusted(&metadata).map_err(fault)?;
        Ok(Folder { path: absolute, root })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plugin's manifest, once all that it names is fit to be run.
    pub(crate) fn manifest(&self, name: &Name, kind: Kind) -> Result<Manifest, String> {
        match kind {
            Kind::Python => self.python(name),
            Kind::Program => self.program(name),
        }
    }

    fn python(&self, name: &Name) -> Result<Manifest, String> {
        let file = name.python();
        guard::open(&self.root, Path::new(&file), Want::File)?.ok_or_else(|| format!("{file}: is gone"))?;
        let path = name.manifest();
        let manifest = self.read(Path::new(&path))?.map(|text| parse(&text, Kind::Python, &path));
        manifest.unwrap_or_else(|| Ok(Manifest::default()))
    }

    fn program(&self, name: &Name) -> Result<Manifest, String> {
        let folder = Path::new(name.as_str());
        guard::open(&self.root, folder, Want::Folder)?.ok_or_else(|| format!("{name}: is gone"))?;
        let path = format!("{name}/plugin.json");
        let text = self.read(Path::new(&path))?;
        let text = text.ok_or_else(|| format!("{path} is missing, which says how the plugin is started"))?;
        let manifest = parse(&text, Kind::Program, &path)?;
        if let Some(own) = own_program(&manifest) {
            self.executable(&folder.join(own))?;
        }
        Ok(manifest)
    }

    /// That the program at `path` can be started, and that none of the folders down to it can be swapped.
    fn executable(&self, path: &Path) -> Result<(), String> {
        let missing = |path: &Path| format!("{}: is missing, and plugin.json names it", path.display());
        let above: Vec<&Path> = path.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
        for folder in above.into_iter().rev() {
            guard::open(&self.root, folder, Want::Folder)?.ok_or_else(|| missing(folder))?;
        }
        guard::open(&self.root, path, Want::Program)?.map(drop).ok_or_else(|| missing(path))
    }

    /// The text of a manifest; nothing if it is not there.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        let Some(file) = guard::open(&self.root, path, Want::File)? else { return Ok(None) };
        let mut text = Vec::new();
        file.take(MANIFEST + 1).read_to_end(&mut text).map_err(|e| format!("{}: {e}", path.display()))?;
        if text.len() as u64 > MANIFEST {
            return Err(format!("{}: is longer than {} KiB, which no manifest is", path.display(), MANIFEST / 1024));
        }
        Ok(Some(text))
    }

    /// What changes when the plugin does; `manifest` is what was found.
    pub(crate) fn fingerprint(&self, name: &Name, kind: Kind, manifest: Option<&Manifest>) -> Fingerprint {
        let folder = PathBuf::from(name.as_str());
        let files = match kind {
            Kind::Python => vec![PathBuf::from(name.python()), PathBuf::from(name.manifest())],
            Kind::Program => {
                let own = manifest.and_then(own_program).map(|own| folder.join(own));
                [folder.clone(), folder.join("plugin.json")].into_iter().chain(own).collect()
            }
        };
        let mut fingerprint = Fingerprint::default();
        for file in files {
            fingerprint.add(&self.root, &file);
        }
        fingerprint
    }
}

fn own_program(manifest: &Manifest) -> Option<&Path> {
    match &manifest.command.as_ref()?.program {
        Program::Own(path) => Some(path),
        Program::System(_) => None,
    }
}

fn parse(text: &[u8], kind: Kind, path: &str) -> Result<Manifest, String> {
    Manifest::parse(text, kind).map_err(|why| format!("{path}: {why}"))
}
