//! Deciding what of the medium is made anew, and moving it to its place.

#![allow(clippy::disallowed_methods, reason = "an edge: puts the finished image in place")]

use std::fs;
use std::path::PathBuf;

use crate::Digest;
use crate::engine::keys::Inputs;
use crate::engine::limit;
use crate::engine::system::System;
use crate::error::{IoContext, Result};
use crate::image::medium::{FilesLayer, LayerFile, Medium, MediumJob};
use crate::lock::Lock;
use crate::profile::types::Compression;
use crate::progress::Progress;
use crate::spec::ImageSpec;
use crate::store::Store;
use crate::tree::Tree;

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
    /// What lies beside an ISO and speaks of its bytes.
    fn beside(&self) -> [PathBuf; 2] {
        ["sha256", "manifest.json"].map(|ending| self.iso.with_extension(ending))
    }

    /// Puts the finished ISO in place. What speaks of another one goes first: a run that ends in between must not leave a
    /// checksum that does not fit.
    pub fn publish(&self) -> Result<()> {
        for path in self.beside() {
            match fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).at("remove", &path),
                _ => {}
            }
        }
        fs::rename(&self.partial, &self.iso).at("create", &self.iso)
    }

    /// Removes what a killed run, or this one, left unfinished.
    pub fn tidy(&self) {
        let _ = fs::remove_file(&self.partial);
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
        let found: Option<LayerFile> = match store.record::<LayerFile>("layers", &key)? {
            Some(layer) if store.intact(&layer.digest)? => Some(layer),
            _ => None,
        };
        place.tidy();
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
            limit::check(medium.size, self.spec.image.size_limit, &self.largest)?;
            progress.say("iso", "nothing changed");
            return Ok(medium);
        }
        let made = make(&job).inspect_err(|_| place.tidy())?;
        place.publish()?;
        store.stamp(&place.iso, made.iso)?;
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
        let size = fs::metadata(&place.iso).map(|m| m.len()).ok();
        let same = size == Some(medium.size) && store.has_bytes(&place.iso, &medium.iso)?;
        Ok(same.then_some(medium))
    }
}
