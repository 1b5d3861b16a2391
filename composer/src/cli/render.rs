//! `render`: the live-build config tree, as files.

use std::path::Path;

use crate::Error;
use crate::archive;
use crate::cli::args::{Global, Render};
use crate::cli::lock::{self, Strictness};
use crate::cli::project::{Project, open_store};
use crate::engine::native::pack;
use crate::error::{IoContext, Result};
use crate::lock::Lock;
use crate::render;
use crate::store::Store;
use crate::tree::{Node, Tree};

pub fn run(args: &Render, global: &Global) -> Result<()> {
    refuse_full(&args.to)?;
    let project = Project::open(&args.profile, global)?;
    let store = open_store(global)?;
    let _using = store.lock_shared("in-use", &project.progress)?;
    let _mine = project.alone(&store)?;
    let sources = project.sources(global, args.offline)?;
    let strictness = if args.offline { Strictness::Locked } else { Strictness::Mend };
    let lock = lock::obtain(&project, strictness, args.offline, &sources, &store, global)?;
    let runtime: Vec<_> = lock.packages.iter().filter(|p| p.archive == archive::pin::RUNTIME).collect();
    archive::fetch(&runtime, &project.spec().archives, &sources, &store, &project.progress, args.offline)?;
    let tree = with_runtime(render::config_tree(project.spec(), Some(&lock), &project.assets)?, &lock, &store)?;
    // On the host nothing is setuid; live-build's hook gives each file its mode inside the image.
    let tree = tree.with_modes(|mode| mode & 0o755);
    pack::write_tree(&tree, &args.to, lock.epoch)?;
    project.progress.say("render", &format!("{} files in {}", tree.iter().count(), args.to.display()));
    Ok(())
}

/// Adds the runtime's packages where live-build looks for them.
pub fn with_runtime(mut tree: Tree, lock: &Lock, store: &Store) -> Result<Tree> {
    for (path, digest) in render::runtime_slots(lock) {
        let bytes = store.read(&digest)?.ok_or_else(|| Error::internal(format!("{path} is missing from the store")))?;
        tree.insert(path, Node::file(bytes));
    }
    Ok(tree)
}

fn refuse_full(folder: &Path) -> Result<()> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => {
            match entries.next() {
                None => Ok(()),
                Some(_) => Err(Error::input(format!("{} is not empty", folder.display()))
                    .help("give a new or empty folder with --to")),
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).at("read", folder),
    }
}
