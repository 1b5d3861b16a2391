//! `check`: every error of a profile at once.

use crate::cli::args::{Check, Global};
use crate::cli::project::Project;
use crate::error::Result;

pub fn run(args: &Check, global: &Global) -> Result<()> {
    let project = Project::open(&args.profile, global)?;
    project.progress.say("check", &format!("{} is right", project.path.display()));
    Ok(())
}
