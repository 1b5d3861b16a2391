//! The edge that reads what a profile points at: file sources, repository keys, password hash files.

#![allow(clippy::disallowed_methods, reason = "an edge: reads the files that a profile names")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::types::FileSpec;
use crate::archive::trust::Keyring;
use crate::error::Result;
use crate::profile::Checked;
use crate::profile::check::is_password_hash;
use crate::profile::check::node::{Faults, Node, brief};
use crate::profile::fault::Fault;
use crate::profile::yaml::Document;
use crate::{Digest, regular};

/// The largest file that a profile may place.
const FILE_LIMIT: u64 = 64 << 20;
/// Keys and hashes are small.
const SMALL_LIMIT: u64 = 1 << 20;

/// What was read beside the profile. A password hash from a file is checked and forgotten.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Sorted by path.
    pub files: Vec<FileSpec>,
    /// Repository keys by the repository's name, as `ArchiveKind::Extra` wants them.
    pub keys: BTreeMap<String, String>,
}

/// Where the files with password hashes are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Beside the profile, like all that it names.
    #[default]
    Here,
    /// Perhaps not here: a vendor archive leaves them out, and only a boot needs them.
    Elsewhere,
}

/// Reads everything that a checked profile points at.
pub fn load(checked: &Checked, profile_dir: &Path) -> Result<Sources> {
    let (sources, faults) = look(&checked.document, profile_dir, Secrets::Here);
    if faults.is_empty() { Ok(sources) } else { Err(checked.shown().error("profile", faults)) }
}

/// Reads what can be read and says what cannot.
pub fn look(document: &Document, profile_dir: &Path, secrets: Secrets) -> (Sources, Vec<Fault>) {
    let mut sources = Sources::default();
    let mut faults = Faults::new(&document.spans);
    let profile = Node::root(&document.value);
    for file in profile.list("files") {
        sources.files.extend(one_file(&file, profile_dir, &mut faults));
    }
    sources.files.sort_by(|a, b| a.path.cmp(&b.path));
    for repository in profile.list("repositories") {
        if let (Some((_, name)), Some((node, path))) = (repository.text("name"), repository.text("key"))
            && let Some(key) =
                read(&node, path, profile_dir, SMALL_LIMIT, &mut faults).and_then(|b| key(&node, b, &mut faults))
        {
            sources.keys.insert(name.to_owned(), key);
        }
    }
    for user in profile.list("users") {
        if let Some((node, path)) = user.text("password_hash_file")
            && !(secrets == Secrets::Elsewhere && is_absent(&profile_dir.join(path)))
        {
            hash_file(&node, path, profile_dir, &mut faults);
        }
    }
    (sources, faults.into_list())
}

fn one_file(file: &Node<'_>, folder: &Path, faults: &mut Faults<'_>) -> Option<FileSpec> {
    let bytes = match (file.text("content"), file.text("source")) {
        (Some((_, content)), None) => content.as_bytes().to_vec(),
        (None, Some((node, source))) => read(&node, source, folder, FILE_LIMIT, faults)?,
        _ => return None,
    };
    let (_, path) = file.text("path")?;
    let mode = file.text("mode").map_or("0644", |(_, mode)| mode);
    private_key(file, &bytes, mode, faults);
    let owner = file.text("owner").map_or("root", |(_, owner)| owner);
    let group = file.text("group").map_or(owner, |(_, group)| group);
    Some(FileSpec {
        path: path.to_owned(),
        digest: Digest::of(&bytes),
        bytes,
        mode: u32::from_str_radix(mode, 8).ok()?,
        owner: owner.to_owned(),
        group: group.to_owned(),
    })
}

/// A private key that everybody on the device can read is none.
fn private_key(file: &Node<'_>, bytes: &[u8], mode: &str, faults: &mut Faults<'_>) {
    let Some((path_node, path)) = file.text("path") else { return };
    let open = u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o004 != 0);
    if open && is_private_key(bytes) {
        let node = file.get("mode").unwrap_or(path_node);
        let message = format!("`{}` holds a private key, and with mode {mode} everybody could read it", brief(path));
        faults.at(&node, message, "too open", "write `mode: \"0600\"`");
    }
}

/// PEM (RFC 7468) and OpenPGP armour alike.
fn is_private_key(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"-----BEGIN ") && line.windows(11).any(|part| part == b"PRIVATE KEY"))
}

fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}

/// Reads a file inside the profile's folder, or reports at the node why not.
fn read(node: &Node<'_>, path: &str, folder: &Path, limit: u64, faults: &mut Faults<'_>) -> Option<Vec<u8>> {
    let place = locate(node, path, folder, faults)?;
    let bytes = regular::open(&place).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    match bytes {
        Ok(bytes) if bytes.len() as u64 <= limit => Some(bytes),
        Ok(_) => {
            let message = format!("`{}` is larger than {} MiB", brief(path), limit >> 20);
            faults.at(node, message, "this file", "ship large data as a package, or fetch it on the device");
            None
        }
        Err(e) => {
            faults.at(node, format!("cannot read `{}`: {}", brief(path), plain(&e)), "this file", way_out(&e));
            None
        }
    }
}

/// The real path of a regular file inside the folder, links followed.
fn locate(node: &Node<'_>, path: &str, folder: &Path, faults: &mut Faults<'_>) -> Option<PathBuf> {
    // A path that leads out by its text has been reported by the check.
    if path.is_empty() || path.starts_with('/') || path.split('/').any(|step| step == "..") || path.contains('\0') {
        return None;
    }
    let shown = brief(path);
    let looked_in = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let found = looked_in.canonicalize().and_then(|root| Ok((looked_in.join(path).canonicalize()?, root)));
    let (real, root) = match found {
        Ok(found) => found,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let help = format!("paths are relative to the profile's folder, {}", looked_in.display());
            faults.at(node, format!("there is no file `{shown}`"), "not found", &help);
            return None;
        }
        Err(e) => {
            faults.at(node, format!("cannot read `{shown}`: {}", plain(&e)), "this file", way_out(&e));
            return None;
        }
    };
    if !real.starts_with(&root) {
        let message = format!("`{shown}` is not inside the profile's folder: it is a link that leads out");
        faults.at(node, message, "this path", "put a copy of the file beside the profile");
        return None;
    }
    if !fs::metadata(&real).is_ok_and(|metadata| metadata.is_file()) {
        faults.at(
            node,
            format!("`{shown}` is no regular file"),
            "this path",
            "name a file; list the files of a folder one by one",
        );
        return None;
    }
    Some(real)
}

fn way_out(e: &std::io::Error) -> &'static str {
    match e.kind() {
        std::io::ErrorKind::PermissionDenied => "make it readable for you",
        _ if e.raw_os_error() == Some(Errno::ELOOP as i32) => {
            "a link leads back to itself: name the file that is meant"
        }
        _ => "name a file below the profile's folder",
    }
}

/// An I/O error without the operating system's number.
fn plain(e: &std::io::Error) -> String {
    let text = e.to_string();
    let cut = text.find(" (os error").unwrap_or(text.len());
    text.get(..cut).unwrap_or_default().to_lowercase()
}

/// An OpenPGP certificate: armoured as it is, binary in hexadecimal.
fn key(node: &Node<'_>, bytes: Vec<u8>, faults: &mut Faults<'_>) -> Option<String> {
    let armoured = String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes);
    let text = armoured.unwrap_or_else(hex::encode);
    let wrong = if text.contains("PRIVATE KEY BLOCK") || Keyring::holds_secret(&text) {
        "it holds a private key"
    } else if Keyring::of(&text).is_none() {
        "no certificate can be read from it"
    } else {
        return Some(text);
    };
    faults.at(
        node,
        format!("not an OpenPGP public key: {wrong}"),
        "this file",
        "export it with `gpg --export --armor KEY`",
    );
    None
}

/// Checks that the file would serve at boot; what it holds is not kept.
fn hash_file(node: &Node<'_>, path: &str, folder: &Path, faults: &mut Faults<'_>) {
    let Some(bytes) = read(node, path, folder, SMALL_LIMIT, faults) else { return };
    let shown = brief(path);
    let mode = fs::metadata(folder.join(path)).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o027 != 0 {
        let message = format!("`{shown}` holds a password hash and others can read or change it");
        faults.at(node, message, "this file", &format!("run `chmod 600 {shown}`"));
        return;
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    if !is_password_hash(text.strip_suffix('\n').unwrap_or(&text)) {
        let message = format!("`{shown}` does not hold one strong crypt(3) hash");
        faults.at(node, message, "this file", &format!("run `mkpasswd --method=yescrypt > {shown}`"));
    }
}
