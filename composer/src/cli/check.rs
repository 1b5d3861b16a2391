//! `check`: every error of a profile at once.

use std::path::Path;

use crate::cli::args::{Check, Global, ProfileArg};
use crate::cli::many;
use crate::cli::project::{self, overrides};
use crate::error::Result;
use crate::parallel;
use crate::profile::source;

pub fn run(args: &Check, global: &Global) -> Result<()> {
    let profiles = many::profiles(&args.profiles)?;
    let reader = project::reader(&project::assets()?, global)?;
    let check = |profile: &ProfileArg| {
        let path = source::find(&profile.profile, Path::new("."))?;
        reader.load(&path, &overrides(&profile.overrides))
    };
    let progress = project::progress(global);
    if let [only] = profiles.as_slice() {
        for (service, by) in check(only)?.spec.brought() {
            progress.say("check", &format!("the service {service} comes with {by}"));
        }
    } else {
        let checked = parallel::map(&profiles, parallel::processors(), |profile| Ok(check(profile).err()))?;
        let failed = profiles.iter().zip(checked).filter_map(|(profile, error)| Some((profile, error?))).collect();
        many::conclude(failed, profiles.len(), global)?;
    }
    let what = match profiles.as_slice() {
        [only] => format!("{} is right", only.profile),
        all => format!("all {} profiles are right", all.len()),
    };
    progress.say("check", &what);
    Ok(())
}
