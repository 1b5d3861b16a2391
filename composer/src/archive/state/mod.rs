//! An archive's signed state: its `InRelease`, verified, and the package indices that it names.

#![allow(clippy::disallowed_methods, reason = "an edge: reads indices of the store")]

pub mod kept;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use serde::{Deserialize, Serialize};

use super::net::{Client, Failure, Wanted};
use super::sources::Sources;
use super::trust::{self, Asked, Keyring, Release, Signed};
use crate::digest::Hasher;
use crate::error::{IoContext, Result};
use crate::interrupt::Heeding;
use crate::lock::types::LockedArchive;
use crate::progress::Progress;
use crate::spec::types::{ArchiveKind, ArchiveSpec};
use crate::store::Store;
use crate::{Digest, Error};

/// An `InRelease` file is 140 kB, a decoded index of all of Debian 60 MB.
const RELEASE_LIMIT: usize = 16 << 20;
const INDEX_LIMIT: u64 = 1 << 30;

/// What an archive holds, as it was signed.
#[derive(Debug)]
pub struct State {
    pub locked: LockedArchive,
    /// The Packages files, one a component.
    pub indices: Vec<String>,
}

/// What outlives a run: the edges that loading needs.
#[derive(Clone, Copy)]
pub struct Edges<'e> {
    pub sources: &'e Sources,
    pub store: &'e Store,
    pub progress: &'e Progress,
    /// Seconds since 1970.
    pub now: u64,
}

/// The newest Date seen for a suite, in the store.
#[derive(Serialize, Deserialize)]
struct Seen {
    date: u64,
}

/// The digest of a decoded index, by that of the compressed one.
#[derive(Serialize, Deserialize)]
struct Decoded {
    sha256: Digest,
}

/// Fetches and verifies an archive's state from the first mirror that serves it rightly.
pub fn load(archive: &ArchiveSpec, edges: Edges<'_>) -> Result<State> {
    let keys = keyring(archive)?;
    let key = seen_key(archive);
    let newest = edges.store.record::<Seen>("suite", &key)?.map(|seen| seen.date);
    let asked = Asked { suite: &archive.suite, now: edges.now, newest };
    let mirrors = edges.sources.mirrors(archive);
    let path = format!("dists/{}/InRelease", archive.suite.trim_end_matches('/'));
    let what = format!("a valid index of {}", archive.suite);
    let (bytes, signed, release) = edges.sources.net.first(&mirrors, &what, edges.progress, |client, mirror| {
        believed(client.small(mirror, &path, RELEASE_LIMIT)?, &keys, asked)
    })?;
    let paths = paths(archive, &release)?;
    let indices = paths.iter().map(|path| index(archive, &mirrors, path, &release, edges));
    let indices = indices.collect::<Result<Vec<_>>>()?;
    let inrelease = kept::keep(&bytes, &paths, &release, edges.store)?;
    // Another run may have seen a newer one meanwhile.
    let newest = edges.store.record::<Seen>("suite", &key)?.map_or(0, |seen| seen.date);
    edges.store.put_record("suite", &key, &Seen { date: newest.max(release.date) })?;
    let locked = LockedArchive {
        name: archive.name.clone(),
        suite: archive.suite.clone(),
        date: release.date,
        sha256: inrelease,
        signed_by: signed.by,
    };
    Ok(State { locked, indices })
}

fn believed(bytes: Vec<u8>, keys: &Keyring, asked: Asked<'_>) -> Result<(Vec<u8>, Signed, Release), Failure> {
    let signed = trust::verify(&bytes, keys, asked.now).map_err(Failure::Untrusted)?;
    let release = Release::parse(&signed.text)
        .ok_or_else(|| Failure::Untrusted("serves an index without Date or SHA256".to_owned()))?;
    release.check(asked).map_err(Failure::Untrusted)?;
    Ok((bytes, signed, release))
}

fn keyring(archive: &ArchiveSpec) -> Result<Keyring> {
    match &archive.kind {
        ArchiveKind::Debian | ArchiveKind::Security => Keyring::debian(),
        ArchiveKind::Extra { key } => Keyring::of(key).ok_or_else(|| {
            Error::input(format!("the key of the repository `{}` is no OpenPGP certificate", archive.name))
                .help("give the repository's public key, armoured or binary, as its publisher provides it")
        }),
    }
}

/// One record a suite, whatever mirror it came from.
fn seen_key(archive: &ArchiveSpec) -> String {
    let suite = archive.suite.replace('/', "_");
    match &archive.kind {
        ArchiveKind::Debian => format!("debian-{suite}"),
        ArchiveKind::Security => format!("security-{suite}"),
        ArchiveKind::Extra { key } => format!("extra-{}-{suite}", Digest::of(format!("{} {key}", archive.uri)).short()),
    }
}

/// The indices to fetch, in the best compression that the archive has.
fn paths(archive: &ArchiveSpec, release: &Release) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for component in &archive.components {
        let best = |architecture: &str| {
            let stem = format!("{component}/binary-{architecture}/Packages");
            [".xz", ".gz", ""].map(|suffix| format!("{stem}{suffix}")).into_iter().find(|p| release.file(p).is_some())
        };
        let amd64 = best("amd64").ok_or_else(|| {
            Error::input(format!("the archive `{}` has no component `{component}` for amd64", archive.name))
                .help(format!("see what {}/dists/{} holds", archive.uri, archive.suite))
        })?;
        paths.push(amd64);
        // Debian repeats `all` packages in each architecture's index; other archives may not.
        if matches!(archive.kind, ArchiveKind::Extra { .. }) {
            paths.extend(best("all"));
        }
    }
    Ok(paths)
}

/// An index's text: from the store if it was decoded before.
fn index(archive: &ArchiveSpec, mirrors: &[String], path: &str, release: &Release, edges: Edges<'_>) -> Result<String> {
    let (sha256, size) = release.file(path).ok_or_else(|| Error::internal(format!("{path} is not in the index")))?;
    if size == 0 {
        return Ok(String::new());
    }
    if let Some(bytes) = decoded(&sha256, edges.store)? {
        return text(bytes, path);
    }
    let what = format!("{path} of {}", archive.suite);
    // Another run may be at the same file.
    let holder = format!("another run, which reads {what}");
    let _guard = edges.store.lock(&format!("index-{sha256}"), &holder, edges.progress)?;
    if let Some(bytes) = decoded(&sha256, edges.store)? {
        return text(bytes, path);
    }
    let task = edges.progress.bytes("index", size);
    let fetched = edges.sources.net.first(mirrors, &what, edges.progress, |client, mirror| {
        fetch_index(client, mirror, archive, path, release, edges.store, &task)
    });
    task.finish();
    fetched?;
    let decoded = decode(path, &sha256, edges.store)?;
    edges.store.put_record("index", &sha256.to_string(), &Decoded { sha256: decoded })?;
    // An index that is not compressed is its own decoded form.
    if decoded != sha256 {
        edges.store.discard(&sha256)?;
    }
    let bytes = edges.store.read(&decoded)?;
    text(bytes.ok_or_else(|| Error::internal(format!("the index {path} vanished from the store")))?, path)
}

/// What an index held when it was decoded before.
fn decoded(sha256: &Digest, store: &Store) -> Result<Option<Vec<u8>>> {
    match store.record::<Decoded>("index", &sha256.to_string())? {
        Some(decoded) => store.read(&decoded.sha256),
        None => Ok(None),
    }
}

fn fetch_index(
    client: &Client,
    mirror: &str,
    archive: &ArchiveSpec,
    path: &str,
    release: &Release,
    store: &Store,
    task: &crate::progress::Task,
) -> Result<std::path::PathBuf, Failure> {
    let (sha256, size) = release.file(path).ok_or_else(|| Failure::Missing(path.to_owned()))?;
    let base = format!("dists/{}", archive.suite.trim_end_matches('/'));
    let plain = format!("{base}/{path}");
    if release.by_hash {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let by_hash = format!("{base}/{folder}/by-hash/SHA256/{sha256}");
        match client.download(mirror, &Wanted { path: &by_hash, size, sha256 }, store, task) {
            Err(Failure::Missing(_)) => {}
            other => return other,
        }
    }
    client.download(mirror, &Wanted { path: &plain, size, sha256 }, store, task)
}

/// Decodes a fetched index into the store.
fn decode(path: &str, sha256: &Digest, store: &Store) -> Result<Digest> {
    let place = store.object(sha256);
    let input = BufReader::with_capacity(256 << 10, Heeding(File::open(&place).at("open", &place)?));
    let reader: Box<dyn Read> = match path.rsplit_once('.') {
        Some((_, "xz")) => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input)),
        Some((_, "gz")) => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        _ => Box::new(input),
    };
    let file = store.temporary()?;
    let mut output = BufWriter::with_capacity(256 << 10, file.as_file());
    let mut hasher = Hasher::default();
    let broken = |e: io::Error| Error::network(format!("the index {path} cannot be decoded")).because(&e);
    let length = copy(reader.take(INDEX_LIMIT + 1), &mut output, &mut hasher).map_err(broken)?;
    output.flush().map_err(broken)?;
    drop(output);
    if length > INDEX_LIMIT {
        return Err(Error::network(format!("the index {path} is larger than {INDEX_LIMIT} bytes when decoded")));
    }
    let decoded = hasher.finish();
    store.adopt(file, &decoded)?;
    Ok(decoded)
}

fn copy(mut from: impl Read, to: &mut impl Write, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let mut length = 0;
    loop {
        let got = from.read(&mut buffer)?;
        let bytes = buffer.get(..got).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(length);
        }
        hasher.update(bytes);
        to.write_all(bytes)?;
        length += got as u64;
    }
}

fn text(bytes: Vec<u8>, path: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::network(format!("the index {path} is not text in UTF-8")))
}
