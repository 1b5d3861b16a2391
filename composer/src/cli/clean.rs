//! `clean`: removing what is kept between runs.

use std::fs;
use std::path::Path;

use crate::cli::args::{Clean, Global};
use crate::cli::project;
use crate::error::{IoContext, Result};
use crate::store::Store;

pub fn run(args: &Clean, global: &Global) -> Result<()> {
    let progress = project::progress(global);
    let root = project::store_root(global)?;
    if !root.is_dir() {
        progress.say("clean", &format!("{} is not there", root.display()));
        return Ok(());
    }
    let store = Store::open(&root)?;
    // Builds hold this lock together; to remove what one of them uses would break it.
    let _alone = store.lock_alone("in-use")?;
    let layers = store.objects_of_layers()?;
    let mut freed = 0;
    if args.layers || args.all {
        freed += store.discard_all(&layers)?;
        freed += remove(&root.join("records/layers"))? + remove(&root.join("records/media"))?;
    }
    if args.downloads || args.all {
        let others = store.all_objects()?.into_iter().filter(|d| !layers.contains(d)).collect();
        freed += store.discard_all(&others)?;
        freed += remove(&root.join("partial"))? + remove(&root.join("records/indices"))?;
        freed += remove(&root.join("records/debs"))?;
    }
    if args.tools || args.all {
        freed += remove(&root.join("trees/tools"))?;
    }
    if args.all {
        freed += remove(&root.join("records/latest"))? + remove(&root.join("logs"))?;
    }
    progress.say("clean", &format!("{:.1} MB removed from {}", freed as f64 / 1e6, root.display()));
    Ok(())
}

/// Removes a folder and answers with the bytes that its files had.
fn remove(folder: &Path) -> Result<u64> {
    if !folder.is_dir() {
        return Ok(0);
    }
    let bytes = size(folder)?;
    fs::remove_dir_all(folder).at("remove", folder)?;
    Ok(bytes)
}

fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).at("read", folder)? {
        let path = entry.at("read", folder)?.path();
        let meta = fs::symlink_metadata(&path).at("read", &path)?;
        bytes += if meta.is_dir() { size(&path)? } else { meta.len() };
    }
    Ok(bytes)
}
