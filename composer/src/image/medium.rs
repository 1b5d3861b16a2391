//! Assembling the ISO: everything is grafted from the store by xorriso, nothing is copied.

#![allow(clippy::disallowed_methods, reason = "an edge: writes the medium")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Hasher;
use crate::engine::job::{BootRecord, LayerRecord};
use crate::engine::limit;
use crate::engine::native::squash;
use crate::error::{IoContext, Result};
use crate::image::{boot_files, menu};
use crate::profile::types::Compression;
use crate::store::Store;
use crate::tree::Tree;
use crate::workshop::{self, Run, Voice};
use crate::{Digest, parallel};

/// The last steps of a build: the files layer, and the medium around all layers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MediumJob {
    pub epoch: u64,
    pub compression: Compression,
    pub log: PathBuf,
    pub label: String,
    /// Bytes that the ISO may have.
    pub size_limit: u64,
    /// The largest packages, for the error that says so when the limit is passed.
    pub largest: Vec<String>,
    /// Base and packages, bottom first.
    pub lower: Vec<LayerRecord>,
    pub files: FilesLayer,
    pub boot: BootRecord,
    pub grub_cfg: String,
    /// Where to write the ISO, as seen inside the worker: a name that nobody takes for a finished one.
    pub out: PathBuf,
}

/// The top layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FilesLayer {
    Make(Tree),
    Reuse(Digest),
}

/// A finished medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    pub iso: Digest,
    pub size: u64,
    pub files: LayerFile,
}

/// A layer's squashfs in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFile {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// Does the job inside a worker.
pub fn make(job: &MediumJob, store: &Store) -> Result<Medium> {
    let files = match &job.files {
        FilesLayer::Reuse(digest) => *digest,
        FilesLayer::Make(tree) => {
            Voice.say("files", "packing the profile's files");
            squash::squash(job.epoch, job.compression, store, &job.log, &squash::Pace::new(false), |sink| {
                crate::engine::native::pack::pack_tree(tree, job.epoch, sink)
            })?
            .0
        }
    };
    let layers: Vec<Digest> = job.lower.iter().map(|l| l.digest).chain([files]).collect();
    let stage = Stage::prepare(job, &layers, store)?;
    stage.check_size(job)?;
    Voice.say("iso", "assembling");
    let (iso, size) = stage.xorriso(job).run_into(|stream| keep(stream, &job.out))?;
    let files_size = fs::metadata(store.object(&files)).at("read", &store.object(&files))?.len();
    Ok(Medium { iso, size, files: LayerFile { digest: files, size: files_size } })
}

/// Bytes that are read at once, and between two looks at how far the disk is.
const CHUNK: usize = 1 << 20;
const SYNC_EVERY: u64 = 32 << 20;

/// Writes a stream to a file and answers with its digest and size. The disk works while the stream goes on, so that little is
/// left to wait for at its end.
fn keep(mut stream: impl Read, path: &Path) -> Result<(Digest, u64)> {
    let file = fs::File::create(path).at("create", path)?;
    let (mut hasher, mut size, mut buffer) = (Hasher::default(), 0, vec![0; CHUNK]);
    std::thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::sync_channel::<()>(1);
        let syncer = scope.spawn(|| receive.into_iter().try_for_each(|()| file.sync_data()));
        let mut unsynced = 0;
        loop {
            let count = stream.read(&mut buffer).at("read", Path::new("xorriso's output"))?;
            let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
            hasher.update(part);
            (&file).write_all(part).at("write", path)?;
            size += count as u64;
            unsynced += count as u64;
            // A disk that is still busy with what came before is not asked again.
            if unsynced > SYNC_EVERY && send.try_send(()).is_ok() {
                unsynced = 0;
            }
        }
        drop(send);
        syncer.join().unwrap_or(Ok(())).and_then(|()| file.sync_all()).at("write", path)
    })?;
    Ok((hasher.finish(), size))
}

/// What goes onto the medium: path on the ISO and file here.
struct Stage {
    grafts: Vec<(String, PathBuf)>,
    efi: PathBuf,
    id: Digest,
}

/// Names of the layers, lowest first. live-boot stacks them by its list of modules, but for a persistent root it stacks what
/// it finds by name, first on top (`activate_custom_mounts`): the two have to agree.
fn layer_names(count: usize) -> Vec<String> {
    let name = |i: usize| ["base", "packages", "files"].get(i).unwrap_or(&"more").to_owned();
    (0..count).map(|i| format!("{}-{}.squashfs", count - 1 - i, name(i))).collect()
}

impl Stage {
    fn prepare(job: &MediumJob, layers: &[Digest], store: &Store) -> Result<Self> {
        let folder = Path::new(workshop::WORK).join("medium");
        fs::create_dir_all(&folder).at("create", &folder)?;
        let id = Digest::of_value(&(layers, &job.boot, &job.label, &job.grub_cfg, job.epoch));
        let id_path = format!("/.disk/borg-{}", id.short());
        let (efi, bios) = parallel::both(
            || boot_files::efi(&folder, &id_path, &id, job.epoch, &job.log),
            || boot_files::bios(&folder, &id_path, &job.log),
        )?;
        let mut stage = Stage { grafts: Vec::new(), efi, id };
        let mut text = |path: &str, content: String| -> Result<()> {
            let file = folder.join(path.replace('/', "_"));
            fs::write(&file, content).at("write", &file)?;
            stage.grafts.push((path.to_owned(), file));
            Ok(())
        };
        text(&id_path, format!("{id}\n"))?;
        text("/.disk/info", format!("{} {}\n", job.label, id.short()))?;
        text("/boot/grub/grub.cfg", job.grub_cfg.clone())?;
        let names = layer_names(layers.len());
        text(&format!("/live/{}.module", menu::MODULE), names.join("\n") + "\n")?;
        for (name, digest) in names.iter().zip(layers) {
            stage.grafts.push((format!("/live/{name}"), store.object(digest)));
        }
        stage.grafts.push(("/live/vmlinuz".into(), store.object(&job.boot.kernel)));
        stage.grafts.push(("/live/initrd.img".into(), store.object(&job.boot.initrd)));
        stage.grafts.push(("/boot/grub/eltorito.img".into(), bios));
        Ok(stage)
    }

    /// Foresees the ISO's size, so that nothing too large is ever written.
    fn check_size(&self, job: &MediumJob) -> Result<()> {
        let mut bytes = fs::metadata(&self.efi).at("read", &self.efi)?.len() + (1 << 20);
        for (_, path) in &self.grafts {
            bytes += fs::metadata(path).at("read", path)?.len().next_multiple_of(2048);
        }
        limit::check(bytes, job.size_limit, &job.largest)
    }

    /// The ISO goes to stdout.
    fn xorriso(&self, job: &MediumJob) -> Run {
        let date = iso_date(job.epoch);
        let mut run = Run::new("xorriso")
            // Once in this interval it sees that it is done: in a second unless told otherwise, and a tenth is its least.
            .args(["-pacifier", "interval=0.1"])
            .args([
                "-as",
                "mkisofs",
                "-r",
                "-J",
                "-joliet-long",
                "-l",
                "-iso-level",
                "3",
                "-V",
                &job.label,
                "-uid",
                "0",
                "-gid",
                "0",
            ])
            .arg(format!("--modification-date={date}"))
            .args(["--set_all_file_dates", &date])
            .args(["--gpt_disk_guid", &guid(&self.id)])
            .args([
                "--grub2-mbr",
                "/usr/lib/grub/i386-pc/boot_hybrid.img",
                "--protective-msdos-label",
                "--mbr-force-bootable",
            ])
            .args(["-partition_cyl_align", "off", "-partition_offset", "16"])
            .args(["-append_partition", "2", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"])
            .arg(&self.efi)
            .args(["-appended_part_as_gpt", "-c", "boot/boot.cat", "-b", "boot/grub/eltorito.img", "-no-emul-boot"])
            .args(["-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info", "-eltorito-alt-boot"])
            .args(["-e", "--interval:appended_partition_2:all::", "-no-emul-boot"])
            .arg("-graft-points")
            .env("SOURCE_DATE_EPOCH", job.epoch.to_string())
            .log(&job.log);
        for (name, path) in &self.grafts {
            run = run.arg(format!("{name}={}", path.display()));
        }
        run
    }
}

/// `YYYYMMDDhhmmsscc`, as xorriso takes it.
fn iso_date(epoch: u64) -> String {
    let seconds = i64::try_from(epoch).unwrap_or(0);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{}00", time.strftime("%Y%m%d%H%M%S"))
}

/// A version 4 UUID made from the content's digest.
fn guid(id: &Digest) -> String {
    let mut b = [0_u8; 16];
    b.copy_from_slice(&id.as_bytes()[..16]);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let h = hex::encode(b);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_named_so_that_the_top_one_comes_first() {
        assert_eq!(layer_names(3), ["2-base.squashfs", "1-packages.squashfs", "0-files.squashfs"]);
    }
}
