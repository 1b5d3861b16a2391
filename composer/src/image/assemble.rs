//! Deciding what of the medium is made anew, and moving it to its place.

#![allow(clippy::disallowed_methods, reason = "an edge: puts the finished image in place")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::keys::Inputs;
use crate::engine::system::System;
use crate::error::{IoContext, Result};
use crate::image::medium::{FilesLayer, LayerFile, Medium, MediumJob};
use crate::lock::Lock;
use crate::profile::types::Compression;
use crate::progress::Progress;
use crate::spec::ImageSpec;
use crate::store::Store;
use crate::tree::Tree;
use crate::{Digest, Error};

/// Everything that decides the medium.
#[derive(Debug)]
pub struct Assembly<'a> {
    pub spec: &'a ImageSpec,
    pub system: &'a System,
    /// The files layer's content, placed.
    pub files: &'a Tree,
    pub compression: Compression,
    pub largest: Vec<String>,
    pub lock: &'a Lock,
    pub grub_cfg: String,
    /// Seen from inside a worker.
    pub log: PathBuf,
    /// The unfinished ISO, seen from inside a worker.
    pub partial: PathBuf,
}

/// Where the ISO goes, seen from here: its name, and the name that it has until it is finished.
#[derive(Debug)]
pub struct Place {
    pub iso: PathBuf,
    pub partial: PathBuf,
}

impl Place {
    /// Names the place in the store's records.
    fn key(&self) -> String {
        Digest::of(self.iso.as_os_str().as_encoded_bytes()).to_string()
    }
}

/// Records of finished ISOs by their place.
const STAMPS: &str = "stamps";

/// What the kernel says of a file whose digest is known. Whoever changes the file changes its `ctime`, which no program can
/// set, so a file with the same stamp need not be read again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970.
    changed: i128,
    digest: Digest,
}

impl Stamp {
    fn of(file: &fs::File, digest: Digest) -> std::io::Result<Self> {
        let meta = file.metadata()?;
        let changed = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        Ok(Stamp { device: meta.dev(), inode: meta.ino(), size: meta.len(), changed, digest })
    }
}

impl Assembly<'_> {
    /// Has `make` make the files layer and the ISO, unless they are there already.
    pub fn realise(
        &self,
        place: &Place,
        store: &Store,
        progress: &Progress,
        make: impl FnOnce(&MediumJob) -> Result<Medium>,
    ) -> Result<Medium> {
        let inputs = self.files_inputs();
        let key = inputs.key().to_string();
        let found: Option<LayerFile> = store.record("layers", &key)?;
        let found =
            found.filter(|layer| fs::metadata(store.object(&layer.digest)).is_ok_and(|m| m.len() == layer.size));
        let name = format!("{}-files", self.spec.profile);
        let text = match &found {
            Some(_) => "reused".to_owned(),
            None => format!("rebuilt: {}", inputs.why(store.record("latest", &name)?.as_ref())),
        };
        progress.say("layer", &format!("files {text}"));
        let job = self.job(found.as_ref());
        let media_key = Digest::of_value(&(
            &job.epoch,
            &key,
            &job.lower.iter().map(|l| l.digest).collect::<Vec<_>>(),
            &job.boot,
            &job.label,
            &job.grub_cfg,
        ));
        if let (true, Some(medium)) = (found.is_some(), Self::unchanged(place, store, &media_key)?) {
            progress.say("iso", "nothing changed");
            return Ok(medium);
        }
        let made = make(&job).inspect_err(|_| {
            let _ = fs::remove_file(&place.partial);
        })?;
        fs::rename(&place.partial, &place.iso).at("create", &place.iso)?;
        let stamp = fs::File::open(&place.iso).and_then(|file| Stamp::of(&file, made.iso)).at("read", &place.iso)?;
        store.put_record(STAMPS, &place.key(), &stamp)?;
        store.put_record("layers", &key, &made.files)?;
        store.put_record("latest", &name, &inputs)?;
        store.put_record("media", &media_key.to_string(), &made)?;
        Ok(made)
    }

    fn job(&self, files: Option<&LayerFile>) -> MediumJob {
        MediumJob {
            epoch: self.lock.epoch,
            compression: self.compression,
            log: self.log.clone(),
            label: self.spec.image.label.clone(),
            size_limit: self.spec.image.size_limit,
            largest: self.largest.clone(),
            lower: vec![self.system.base.clone(), self.system.packages.clone()],
            files: files.map_or_else(|| FilesLayer::Make(self.files.clone()), |layer| FilesLayer::Reuse(layer.digest)),
            boot: self.system.boot.clone(),
            grub_cfg: self.grub_cfg.clone(),
            out: self.partial.clone(),
        }
    }

    fn files_inputs(&self) -> Inputs {
        let mut inputs = Inputs::of(self.lock, self.compression);
        for (path, node) in self.files.iter() {
            inputs.add(format!("/{path}"), Digest::of_value(node));
        }
        inputs
    }

    /// The medium of this key, if the ISO in its place is the very one: not removed, cut or altered.
    fn unchanged(place: &Place, store: &Store, key: &Digest) -> Result<Option<Medium>> {
        let Some(medium) = store.record::<Medium>("media", &key.to_string())? else { return Ok(None) };
        let Ok(file) = fs::File::open(&place.iso) else { return Ok(None) };
        let stamp = Stamp::of(&file, medium.iso).at("read", &place.iso)?;
        if stamp.size != medium.size {
            return Ok(None);
        }
        if store.record(STAMPS, &place.key())?.as_ref() == Some(&stamp) {
            return Ok(Some(medium));
        }
        let digest = Digest::of_reader(file)
            .map_err(|e| Error::host(format!("cannot read {}", place.iso.display())).because(&e))?;
        if digest != medium.iso {
            return Ok(None);
        }
        store.put_record(STAMPS, &place.key(), &stamp)?;
        Ok(Some(medium))
    }
}
