//! Kernel and initrd, artefacts of their own.

use std::fs;
use std::path::Path;

use crate::engine::job::BootRecord;
use crate::engine::native::target::Target;
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::Voice;
use crate::{Digest, Error};

/// Runs mkinitramfs for the one kernel in `root` and puts both files into the store.
pub fn make(target: &Target, root: &Path, store: &Store) -> Result<BootRecord> {
    let version = kernel_version(root)?;
    Voice.say("initrd", &format!("for kernel {version}"));
    let image = format!("/tmp/initrd.img-{version}");
    target.run(&["mkinitramfs".into(), "-o".into(), image.clone(), version.clone()])?;
    let kernel = keep(&root.join(format!("boot/vmlinuz-{version}")), store)?;
    let initrd = keep(&root.join(image.trim_start_matches('/')), store)?;
    Ok(BootRecord { version, kernel, initrd })
}

fn keep(path: &Path, store: &Store) -> Result<Digest> {
    let bytes = fs::read(path).at("read", path)?;
    let digest = store.insert(&bytes)?;
    store.stamp(&store.object(&digest), digest)?;
    Ok(digest)
}

fn kernel_version(root: &Path) -> Result<String> {
    let boot = root.join("boot");
    let mut versions = Vec::new();
    for entry in fs::read_dir(&boot).at("read", &boot)? {
        let name = entry.at("read", &boot)?.file_name().to_string_lossy().into_owned();
        versions.extend(name.strip_prefix("vmlinuz-").map(str::to_owned));
    }
    match versions.as_slice() {
        [version] => Ok(version.clone()),
        [] => Err(Error::package("no kernel is installed: /boot holds no vmlinuz")),
        _ => Err(Error::input(format!("{} kernels are installed: {}", versions.len(), versions.join(", ")))
            .help("keep one: choose it with `kernel: { flavour: … }` rather than under `packages`")),
    }
}
