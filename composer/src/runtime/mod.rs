//! The runtime crates, built and packed as .deb.

use std::path::Path;

use crate::archive::LocalDeb;
use crate::error::Result;
use crate::profile::types::Suite;
use crate::progress::Progress;
use crate::store::Store;

pub fn debs(_names: &[&str], _suite: Suite, _folder: Option<&Path>, _store: &Store, _progress: &Progress) -> Result<Vec<LocalDeb>> {
    Ok(Vec::new())
}
