//! Kernel and initrd, artefacts of their own.

use std::path::Path;
use std::{fs, io};

use crate::engine::job::BootRecord;
use crate::engine::native::quick::Quick;
use crate::engine::native::target::Target;
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::Voice;
use crate::{Digest, Error, parallel};

/// A fixed number: zstd makes the same with any but one (zstd(1), `-T`).
const THREADS: &str = "2";

/// Runs mkinitramfs for the one kernel in `root` and puts both files into the store.
pub fn make(target: &Target, root: &Path, quick: &Quick, store: &Store) -> Result<BootRecord> {
    let version = kernel_version(root)?;
    Voice.say("initrd", &format!("for kernel {version}"));
    let image = format!("/tmp/initrd.img-{version}");
    let mkinitramfs = || {
        let argv = ["mkinitramfs", "-o", &image, &version].map(str::to_owned);
        target.program(&argv).env("ZSTD_NBTHREADS", THREADS).run()
    };
    let quickly = quick.covered(target, &version, || borg_reflink::with(mkinitramfs))?;
    if !quickly {
        mkinitramfs()?;
    }
    let (kernel, initrd) = parallel::both(
        || keep(&root.join(format!("boot/vmlinuz-{version}")), store),
        || keep(&root.join(image.trim_start_matches('/')), store),
    )?;
    Ok(BootRecord { version, kernel, initrd })
}

fn keep(path: &Path, store: &Store) -> Result<Digest> {
    let open = || fs::File::open(path).at("open", path);
    let copy = || {
        let mut file = store.temporary()?;
        io::copy(&mut open()?, file.as_file_mut()).at("copy", path)?;
        Ok(file)
    };
    let (digest, file) = parallel::both(|| Digest::of_reader(open()?).at("read", path), copy)?;
    store.stamp(&store.adopt(file, &digest)?, digest)?;
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
