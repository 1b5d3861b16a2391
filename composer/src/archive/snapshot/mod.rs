//! A snapshot server keeps every package that Debian ever published: it is asked for those that have left the mirrors.
//!
//! Its interface: <https://salsa.debian.org/snapshot-team/snapshot/raw/master/API>.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::net::{Client, Failure, Wanted};
use crate::lock::types::LockedPackage;
use crate::progress::Task;
use crate::store::Store;

/// An answer about one version is 1 to 10 kB.
const ANSWER_LIMIT: usize = 1 << 20;

/// A version has one file an architecture; a second one is a build of another archive.
const MOST: usize = 4;

/// What the server knows of one version of a package.
#[derive(Debug, Deserialize)]
struct Answer {
    result: Vec<File>,
    /// By the file's hash: where it was published, and with which size.
    #[serde(default)]
    fileinfo: HashMap<String, Vec<Published>>,
}

#[derive(Debug, Deserialize)]
struct File {
    architecture: String,
    /// SHA-1: only a name here, the lock's SHA-256 decides.
    hash: String,
}

#[derive(Debug, Deserialize)]
struct Published {
    size: u64,
}

/// Downloads a locked package from a snapshot server into the store.
pub fn download(
    client: &Client,
    server: &str,
    package: &LockedPackage,
    store: &Store,
    task: &Task,
) -> Result<PathBuf, Failure> {
    let steps = ["mr", "binary", &package.name, &package.version, "binfiles"];
    let answer = client.ask(server, &steps, "fileinfo=1", ANSWER_LIMIT).map_err(|failure| match failure {
        Failure::WrongBytes(_) => nonsense(),
        other => other,
    })?;
    let mut last = Failure::Lacks(format!("{} {} for {}", package.name, package.version, package.architecture));
    for hash in hashes(&answer, package)? {
        let path = format!("file/{hash}");
        let wanted = Wanted { path: &path, size: package.size, sha256: package.sha256 };
        match client.download(server, &wanted, store, task) {
            Err(failure @ (Failure::WrongBytes(_) | Failure::Missing(_))) => last = failure,
            other => return other,
        }
    }
    Err(last)
}

fn nonsense() -> Failure {
    Failure::Untrusted("gives an answer that is none of a snapshot server".to_owned())
}

/// The names of the files that may be the locked one.
fn hashes(answer: &[u8], package: &LockedPackage) -> Result<Vec<String>, Failure> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|_| nonsense())?;
    let fits = |hash: &str| {
        let published = answer.fileinfo.get(hash);
        published.is_none_or(|files| files.iter().any(|file| file.size == package.size))
    };
    let is_name = |hash: &str| hash.len() == 40 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let own = answer.result.iter().filter(|file| file.architecture == package.architecture).map(|file| &file.hash);
    Ok(own.filter(|hash| is_name(hash) && fits(hash)).take(MOST).cloned().collect())
}
