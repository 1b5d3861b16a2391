//! A layer's record as other machines get it: an object that is named by its digest and names all bytes by theirs, with
//! their sizes. What must be known of a layer is in it, so it is as trusted as the layer itself.

#![allow(clippy::disallowed_methods, reason = "an edge: asks the store for sizes")]

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::engine::job::{BootRecord, LayerRecord};
use crate::error::{Error, IoContext, Result};
use crate::lock::types::Output;
use crate::store::Store;

/// A record that can be handed on.
pub trait Parcel: Clone + Serialize + DeserializeOwned {
    /// The bytes that it speaks of.
    fn objects(&self) -> Vec<Digest>;

    /// As other machines get it.
    fn wrap(&self, store: &Store) -> Result<Vec<u8>>;

    /// The record, and the sizes of its objects; none if the bytes are not such a record.
    fn unwrap(bytes: &[u8]) -> Option<(Self, Vec<Output>)>;
}

impl Parcel for LayerRecord {
    fn objects(&self) -> Vec<Digest> {
        vec![self.digest]
    }

    fn wrap(&self, _store: &Store) -> Result<Vec<u8>> {
        json(self)
    }

    fn unwrap(bytes: &[u8]) -> Option<(Self, Vec<Output>)> {
        let record: LayerRecord = serde_json::from_slice(bytes).ok()?;
        let object = Output { sha256: record.digest, size: record.size };
        Some((record, vec![object]))
    }
}

/// Kernel and initrd with their sizes.
#[derive(Serialize, Deserialize)]
struct Boot {
    version: String,
    kernel: Output,
    initrd: Output,
}

impl Parcel for BootRecord {
    fn objects(&self) -> Vec<Digest> {
        vec![self.kernel, self.initrd]
    }

    fn wrap(&self, store: &Store) -> Result<Vec<u8>> {
        let output = |sha256: Digest| {
            let path = store.object(&sha256);
            std::fs::metadata(&path).at("read", &path).map(|meta| Output { sha256, size: meta.len() })
        };
        json(&Boot { version: self.version.clone(), kernel: output(self.kernel)?, initrd: output(self.initrd)? })
    }

    fn unwrap(bytes: &[u8]) -> Option<(Self, Vec<Output>)> {
        let boot: Boot = serde_json::from_slice(bytes).ok()?;
        let record = BootRecord { version: boot.version, kernel: boot.kernel.sha256, initrd: boot.initrd.sha256 };
        Some((record, vec![boot.kernel, boot.initrd]))
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal("cannot write a layer's record").because(&e))
}
