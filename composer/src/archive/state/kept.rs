//! An archive's signed state as the store keeps it: what a lock was made from can be shown later, and taken along.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Decoded;
use crate::archive::trust::Release;
use crate::error::Result;
use crate::store::Store;
use crate::{Digest, lock::types::LockedArchive};

/// The record's kind; its key is the hash of `InRelease`.
const KIND: &str = "state";

/// The decoded indices, by their paths below the suite's folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    indices: BTreeMap<String, Digest>,
}

/// Keeps `InRelease` as it was signed, with a note of the indices that were read after it; answers with its hash.
pub fn keep(inrelease: &[u8], paths: &[String], release: &Release, store: &Store) -> Result<Digest> {
    let sha256 = store.insert(inrelease)?;
    let mut kept = Kept::default();
    for path in paths {
        let Some((packed, _)) = release.file(path) else { continue };
        if let Some(decoded) = store.record::<Decoded>("index", &packed.to_string())? {
            let plain = path.trim_end_matches(".xz").trim_end_matches(".gz");
            kept.indices.insert(plain.to_owned(), decoded.sha256);
        }
    }
    store.put_record(KIND, &sha256.to_string(), &kept)?;
    Ok(sha256)
}

/// The files of a locked state by their paths below the archive; `None` if the store does not have them all.
pub fn files(archive: &LockedArchive, store: &Store) -> Result<Option<BTreeMap<String, Digest>>> {
    let Some(kept) = store.record::<Kept>(KIND, &archive.sha256.to_string())? else { return Ok(None) };
    let folder = format!("dists/{}", archive.suite.trim_end_matches('/'));
    let mut files: BTreeMap<String, Digest> =
        kept.indices.into_iter().map(|(path, digest)| (format!("{folder}/{path}"), digest)).collect();
    files.insert(format!("{folder}/InRelease"), archive.sha256);
    for digest in files.values() {
        if !store.verify(digest)? {
            return Ok(None);
        }
    }
    Ok(Some(files))
}
