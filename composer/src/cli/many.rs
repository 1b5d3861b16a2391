//! Doing one thing for each of several profiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::args::{Global, ProfileArg, Profiles};
use crate::cli::report;
use crate::error::Result;
use crate::profile::check::node::brief;
use crate::profile::{source, yaml};
use crate::{Error, interrupt};

/// The profiles that are meant: the one named, or all of `./profiles`.
pub fn profiles(args: &Profiles) -> Result<Vec<ProfileArg>> {
    let one = |profile: String| ProfileArg { profile, overrides: args.overrides.clone() };
    if !args.all {
        return Ok(args.profile.iter().cloned().map(one).collect());
    }
    let names = source::all(Path::new("profiles"))?;
    if names.is_empty() {
        return Err(Error::input("there is no profile in ./profiles")
            .help("run it in the folder that holds `profiles/`, or name one with --profile"));
    }
    distinct(&names)?;
    Ok(names.into_iter().map(one).collect())
}

/// What names the files of a build, and so may be there once only.
const NAMES: [(&str, &str); 2] = [("/profile", "profile"), ("/image/tag", "tag")];

/// Refuses two profiles of one name or tag: the later build would replace the earlier one's files.
fn distinct(names: &[String]) -> Result<()> {
    let mut taken: BTreeMap<(&str, String), PathBuf> = BTreeMap::new();
    for name in names {
        // What cannot be found or read is told when its turn comes.
        let Ok(path) = source::find(name, Path::new(".")) else { continue };
        let Some(document) = source::load(&path).ok().and_then(|text| yaml::read(&text).0) else { continue };
        for (pointer, key) in NAMES {
            let Some(value) = document.value.pointer(pointer).and_then(|value| value.as_str()) else { continue };
            if let Some(other) = taken.insert((key, value.to_owned()), path.clone()) {
                let message =
                    format!("{} and {} have the same {key} `{}`", other.display(), path.display(), brief(value));
                return Err(Error::input(message)
                    .help(format!("give each a {key} of its own: one would replace the other's ISO")));
            }
        }
    }
    Ok(())
}

/// Does it for one after the other. What fails for one keeps none of the others from their turn.
pub fn each(args: &Profiles, global: &Global, work: impl Fn(&ProfileArg) -> Result<()>) -> Result<()> {
    let profiles = profiles(args)?;
    if let [only] = profiles.as_slice() {
        return work(only);
    }
    let mut failed = Vec::new();
    for profile in &profiles {
        match interrupt::translate(interrupt::check().and_then(|()| work(profile))) {
            Ok(()) => {}
            Err(error) if error.kind() == crate::Kind::Interrupted => return Err(error),
            Err(error) => failed.push((profile, error)),
        }
    }
    conclude(failed, profiles.len(), global)
}

/// Shows every failure; the first one's kind decides the exit status.
pub fn conclude(failed: Vec<(&ProfileArg, Error)>, count: usize, global: &Global) -> Result<()> {
    let Some(kind) = failed.first().map(|(_, error)| error.kind()) else { return Ok(()) };
    for (_, error) in &failed {
        report::show(error, global.log_format);
    }
    let names: Vec<&str> = failed.iter().take(10).map(|(profile, _)| profile.profile.as_str()).collect();
    let more = if failed.len() > names.len() { " …" } else { "" };
    Err(Error::new(kind, format!("{} of {count} profiles failed: {}{more}", failed.len(), names.join(", "))))
}
