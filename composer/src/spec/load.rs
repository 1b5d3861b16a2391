//! The whole way from a profile's path to the decided image.

use std::path::{Path, PathBuf};

use super::files;
use super::resolve::resolve;
use super::types::ImageSpec;
use crate::assets::Assets;
use crate::catalogue::{self, Catalogue};
use crate::error::Result;
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
    pub catalogue: Catalogue,
    pub view: ProfileView,
}

/// Reads and checks the profile at `path` and decides the image; all faults come at once.
pub fn load(path: &Path, assets: &Assets, with: &Overrides) -> Result<Loaded> {
    let text = source::load(path)?;
    let catalogue = catalogue::load(assets)?;
    let mut found = check::inspect(&text, &catalogue)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut sources = files::Sources::default();
    if let Some(document) = &found.document {
        let (read, faults) = files::look(document, folder);
        sources = read;
        check::add_news(&mut found.faults, faults);
    }
    let mut checked: Checked = check::conclude(&path.display().to_string(), &text, found)?;
    overrides::apply(&mut checked.profile, with.offline_model.as_deref(), with.offline_only)?;
    let spec = resolve(&checked, &catalogue, assets.digest(), sources)?;
    let view = ProfileView { path: path.to_owned(), text, spans: checked.document.spans };
    Ok(Loaded { spec, profile: checked.profile, catalogue, view })
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
