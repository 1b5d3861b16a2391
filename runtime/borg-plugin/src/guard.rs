//! Opening what may be run: never through a symbolic link, and never what others than root could have written.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// What is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A plain file, to be read.
    File,
    /// A plain file that can be executed; it need not be readable.
    Program,
    Folder,
}

const LINK: &str = "is a symbolic link; put there what it leads to";

/// Opens `path` below the folder `root`; nothing if it is not there. The folders between are to be opened first, each.
pub fn open(root: &File, path: &Path, want: Want) -> Result<Option<File>, String> {
    let fault = |why: String| format!("{}: {why}", path.display());
    let flags = match want {
        // A pipe in its place must not be waited for.
        Want::File => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
        Want::Program | Want::Folder => OFlags::PATH,
    };
    let file = match borg_beneath::open(root, path, flags) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::LOOP) => return Err(fault(LINK.into())),
        Err(Errno::ACCESS) => return Err(fault("cannot be read; `chmod a+rX` it".into())),
        Err(e) => return Err(fault(e.to_string())),
    };
    let metadata = file.metadata().map_err(|e| fault(e.to_string()))?;
    fits(&metadata, want).and_then(|()| trusted(&metadata)).map_err(fault)?;
    Ok(Some(file))
}

fn fits(metadata: &Metadata, want: Want) -> Result<(), String> {
    match want {
        _ if metadata.is_symlink() => Err(LINK.into()),
        Want::Folder if metadata.is_dir() => Ok(()),
        Want::Folder => Err("is no folder".into()),
        Want::File | Want::Program if !metadata.is_file() => Err("is no plain file".into()),
        Want::Program if metadata.mode() & 0o111 == 0 => Err("cannot be executed; `chmod a+x` it".into()),
        Want::File | Want::Program => Ok(()),
    }
}

/// That none but root, or the user who runs this, could have written it: whoever writes a plugin becomes the plugin.
pub fn trusted(metadata: &Metadata) -> Result<(), String> {
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(format!("belongs to user {owner}, who could change it; `chown root` it"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("can be changed by others than its owner; `chmod go-w` it".into());
    }
    Ok(())
}
