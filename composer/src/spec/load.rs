//! The whole way from a profile's path to the decided image.

use std::path::{Path, PathBuf};

use super::files::{self, Secrets};
use super::resolve::resolve;
use super::types::ImageSpec;
use crate::Digest;
use crate::assets::Assets;
use crate::catalogue;
use crate::error::Result;
use crate::profile::check::Rules;
use crate::profile::fault::{Fault, Shown};
use crate::profile::yaml::SpanMap;
use crate::profile::{Checked, Profile, check, overrides, source};

/// Values that the environment puts over the profile's.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `BORG_OFFLINE_MODEL`.
    pub offline_model: Option<String>,
    /// `OFFLINE_ONLY`.
    pub offline_only: Option<bool>,
}

/// A profile, read, checked and decided.
#[derive(Debug)]
pub struct Loaded {
    pub spec: ImageSpec,
    /// As written, with the overrides: the tag and the mirrors are here, since they decide no byte.
    pub profile: Profile,
    pub view: ProfileView,
}

/// Reads profiles: the rules of one catalogue, compiled once for any number of them.
#[derive(Debug)]
pub struct Reader {
    rules: Rules,
    assets: Digest,
    secrets: Secrets,
}

impl Reader {
    pub fn new(assets: &Assets) -> Result<Self> {
        Ok(Reader { rules: Rules::new(catalogue::load(assets)?)?, assets: assets.digest(), secrets: Secrets::Here })
    }

    #[must_use]
    pub fn secrets(self, secrets: Secrets) -> Self {
        Reader { secrets, ..self }
    }

    /// Reads and checks the profile at `path` and decides the image; all faults come at once.
    pub fn load(&self, path: &Path, with: &Overrides) -> Result<Loaded> {
        let text = source::load(path)?;
        let mut found = check::inspect(&text, &self.rules);
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut sources = files::Sources::default();
        if let Some(document) = &found.document {
            let (read, faults) = files::look(document, folder, self.secrets);
            sources = read;
            check::add_news(&mut found.faults, faults);
        }
        let mut checked: Checked = check::conclude(&path.display().to_string(), &text, found)?;
        overrides::apply(&mut checked.profile, with.offline_model.as_deref(), with.offline_only)?;
        let spec = resolve(&checked, &self.rules.catalogue, self.assets, sources)?;
        let view = ProfileView { path: path.to_owned(), text, spans: checked.document.spans };
        Ok(Loaded { spec, profile: checked.profile, view })
    }
}

/// What later stages need to point at a line of the profile.
#[derive(Debug, Clone, Default)]
pub struct ProfileView {
    pub path: PathBuf,
    pub text: String,
    pub spans: SpanMap,
}

impl ProfileView {
    /// A report at the value under a JSON pointer, or at the nearest thing around it.
    pub fn report_at(&self, pointer: &str, message: &str, help: Option<&str>) -> miette::Report {
        let shown = Shown::new(&self.path.display().to_string(), &self.text, Some(&self.spans));
        let fault = Fault::new(message).at(self.spans.value(pointer), "asked for here");
        shown.report(&fault.maybe_help(help.map(str::to_owned)))
    }
}
