//! `clean`: removing what is kept between runs.

use std::fs;

use crate::cli::args::{Clean, Global, Parts};
use crate::cli::project;
use crate::error::{IoContext, Result};
use crate::store::sweep::{Item, Part};

const PARTS: [Part; 4] = [Part::Layers, Part::Downloads, Part::Tools, Part::Rest];

pub fn run(args: &Clean, global: &Global) -> Result<()> {
    let progress = project::progress(global);
    let root = project::store_root(global)?;
    if !root.is_dir() {
        progress.say("clean", &format!("{} is not there", root.display()));
        return Ok(());
    }
    let store = project::open_store(global)?;
    // Builds hold this lock together; to remove what one of them uses would break it.
    let _alone = store.lock_alone("in-use")?;
    let items = store.sweepable(args.keep_latest)?;
    let (verb, mut total) = (if args.dry_run { "would be removed" } else { "removed" }, 0);
    for part in PARTS.into_iter().filter(|part| meant(&args.parts, *part)) {
        let of_part: Vec<&Item> = items.iter().filter(|item| item.part == part).collect();
        let bytes: u64 = of_part.iter().map(|item| item.bytes).sum();
        if !args.dry_run {
            of_part.iter().try_for_each(|item| remove(item))?;
        }
        total += bytes;
        progress.say("clean", &format!("{:.1} MB of {} {verb}", megabytes(bytes), part.title()));
    }
    progress.say("clean", &format!("{:.1} MB {verb} from {}", megabytes(total), root.display()));
    Ok(())
}

fn meant(args: &Parts, part: Part) -> bool {
    args.all
        || match part {
            Part::Layers => args.layers,
            Part::Downloads => args.downloads,
            Part::Tools => args.tools,
            Part::Rest => false,
        }
}

fn remove(item: &Item) -> Result<()> {
    let folder = fs::symlink_metadata(&item.path).at("read", &item.path)?.is_dir();
    let removed = if folder { fs::remove_dir_all(&item.path) } else { fs::remove_file(&item.path) };
    removed.at("remove", &item.path)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
