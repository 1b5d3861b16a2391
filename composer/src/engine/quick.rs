//! Kernel modules in the compression that is read fast.
//!
//! Debian's are compressed by xz, and depmod and initramfs-tools spend most of their time on that. libkmod tells a module's
//! compression by its first bytes, not by its name, so that modules of the same names with zstd inside, and nothing in them
//! but what it reads, give the same indices and the same choice of files. What ends in an image are the packages' own files.

#![allow(clippy::disallowed_methods, reason = "an edge: unpacks files of the store")]

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Component, Path};

use crate::engine::lean::lean;
use crate::error::{IoContext, Result};

const LEVEL: i32 = 1;

/// Gathers a package's modules as a tar archive: `<version>/kernel/….ko.xz`.
pub struct Writer<'a> {
    tar: tar::Builder<BufWriter<&'a mut File>>,
    any: bool,
}

impl<'a> Writer<'a> {
    pub fn new(file: &'a mut File) -> Self {
        Writer { tar: tar::Builder::new(BufWriter::new(file)), any: false }
    }

    /// Takes in a file of the package if it is a module that takes long to read.
    pub fn take(&mut self, name: &str, bytes: &mut dyn Read) -> io::Result<()> {
        let Some(place) = place(name) else { return Ok(()) };
        let mut packed = Vec::new();
        bytes.read_to_end(&mut packed)?;
        let mut plain = Vec::new();
        // Whatever it is, it is not for us: the kernel that it belongs to is then read as it came.
        if liblzma::read::XzDecoder::new_multi_decoder(packed.as_slice()).read_to_end(&mut plain).is_err() {
            return Ok(());
        }
        let quick = zstd::bulk::compress(&lean(&plain).unwrap_or(plain), LEVEL)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(quick.len() as u64);
        header.set_mode(0o644);
        // By which a module that was changed since is known: a file of this tree has no other use for a time.
        header.set_mtime(packed.len() as u64);
        self.any = true;
        self.tar.append_data(&mut header, place, quick.as_slice())
    }

    /// True if there were any.
    pub fn finish(self) -> io::Result<bool> {
        self.tar.into_inner()?.flush()?;
        Ok(self.any)
    }
}

/// Where below `/usr/lib/modules` a module lies that the kernel's own package brings; packages made before the merge of
/// /usr name their files below `/lib`.
fn place(name: &str) -> Option<&str> {
    let place = name.strip_prefix("usr/").unwrap_or(name).strip_prefix("lib/modules/")?;
    let (_, rest) = place.split_once('/')?;
    let plain = Path::new(place).components().all(|part| matches!(part, Component::Normal(_)));
    (plain && rest.starts_with("kernel/") && rest.ends_with(".ko.xz")).then_some(place)
}

/// Unpacks an archive of [`Writer`] below `folder`.
pub fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let file = File::open(archive).at("open", archive)?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, file));
    // Of two packages with one module, dpkg decides which counts.
    archive.set_overwrite(false);
    archive.unpack(folder).at("unpack kernel modules to", folder)
}

/// How many bytes the package's own module has, of one that was unpacked.
pub fn length(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let seconds = std::fs::metadata(path).at("read", path)?.mtime();
    Ok(u64::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xz(text: &str) -> Vec<u8> {
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new(text.as_bytes(), 1).read_to_end(&mut packed).unwrap();
        packed
    }

    #[test]
    fn modules_keep_their_names_and_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("archive");
        let mut file = File::create_new(&archive).unwrap();
        let mut writer = Writer::new(&mut file);
        let files = [
            ("usr/lib/modules/6.1/kernel/fs/a.ko.xz", xz("module a")),
            ("lib/modules/6.2/kernel/b.ko.xz", xz("module b")),
            ("usr/lib/modules/6.1/kernel/broken.ko.xz", b"no xz".to_vec()),
            ("usr/lib/modules/6.1/modules.order", b"kernel/a.ko".to_vec()),
            ("usr/lib/modules/6.1/updates/c.ko.xz", xz("module c")),
            ("usr/bin/a.ko.xz", xz("no module")),
            ("usr/lib/modules/6.1/kernel/../../a.ko.xz", xz("astray")),
        ];
        for (name, bytes) in &files {
            writer.take(name, &mut bytes.as_slice()).unwrap();
        }
        assert!(writer.finish().unwrap());
        let to = folder.path().join("to");
        unpack(&archive, &to).unwrap();
        let read = |name: &str| zstd::decode_all(File::open(to.join(name)).unwrap()).unwrap();
        assert_eq!(read("6.1/kernel/fs/a.ko.xz"), b"module a");
        assert_eq!(read("6.2/kernel/b.ko.xz"), b"module b");
        assert_eq!(length(&to.join("6.2/kernel/b.ko.xz")).unwrap(), files[1].1.len() as u64);
        assert!(unpack(&archive, &to).is_err(), "two packages with one module");
        assert!(!to.join("6.1/kernel/broken.ko.xz").exists() && !to.join("6.1/updates").exists());
    }

    #[test]
    fn most_packages_have_none() {
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = Writer::new(&mut file);
        writer.take("usr/bin/jq", &mut &b"x"[..]).unwrap();
        assert!(!writer.finish().unwrap());
    }
}
