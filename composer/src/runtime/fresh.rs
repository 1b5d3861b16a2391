//! What the runtime's programs are compiled from, as one digest: while it stays the same, cargo need not be asked.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::manifest::is_cache;
use crate::error::IoContext;
use crate::{Digest, Result};

/// Beside the crates themselves.
const FILES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", ".cargo/config.toml"];

/// Prefixes of the environment's variables that cargo, rustc and build scripts read.
const VARIABLES: [&str; 6] = ["CARGO", "RUST", "CC", "CFLAGS", "LD", "PATH"];

/// The digest of sources, environment and compiler for these crates of a checkout.
pub fn digest(root: &Path, names: &[&str]) -> Result<Digest> {
    let mut parts: Vec<(String, String)> = names.iter().map(|name| ("crate".to_owned(), (*name).to_owned())).collect();
    for name in FILES {
        let path = root.join(name);
        if path.is_file() {
            parts.push((name.to_owned(), content(&path)?));
        }
    }
    walk(&root.join("runtime"), &mut parts)?;
    let known = |name: &str| VARIABLES.iter().any(|prefix| name.starts_with(prefix));
    let mut variables: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| known(name))
        .collect();
    variables.sort();
    parts.extend(variables);
    parts.extend(compiler().into_iter().map(|path| (path.display().to_string(), stamp(&path))));
    Ok(Digest::of_value(&parts))
}

fn content(path: &Path) -> Result<String> {
    Ok(Digest::of(&fs::read(path).at("read", path)?).to_string())
}

fn walk(folder: &Path, parts: &mut Vec<(String, String)>) -> Result<()> {
    let entries = fs::read_dir(folder).at("read", folder)?;
    let mut paths = entries.map(|e| Ok(e.at("read", folder)?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.retain(|path| !path.file_name().and_then(OsStr::to_str).is_some_and(is_cache));
    for path in paths {
        if path.is_dir() {
            walk(&path, parts)?;
        } else {
            parts.push((path.display().to_string(), content(&path)?));
        }
    }
    Ok(())
}

/// Files that a new compiler changes: the first `cargo` and `rustc` on the path, and rustup's notes of its toolchains.
fn compiler() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|p| p.is_file());
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".rustup"));
    let rustup = std::env::var_os("RUSTUP_HOME").map(PathBuf::from).or(home).unwrap_or_default();
    let notes = [rustup.join("settings.toml"), rustup.join("update-hashes"), rustup.join("toolchains")];
    [first("cargo"), first("rustc")].into_iter().flatten().chain(notes).collect()
}

fn stamp(path: &Path) -> String {
    fs::metadata(path).map_or_else(|_| "none".to_owned(), |m| format!("{} {}.{}", m.len(), m.mtime(), m.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_source_changes_it() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("runtime/a/src/main.rs");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "fn main() {}").unwrap();
        fs::write(root.path().join("Cargo.lock"), "").unwrap();
        let before = digest(root.path(), &["a"]).unwrap();
        assert_eq!(before, digest(root.path(), &["a"]).unwrap());
        assert_ne!(before, digest(root.path(), &["a", "b"]).unwrap());
        fs::write(&file, "fn main() { }").unwrap();
        let after = digest(root.path(), &["a"]).unwrap();
        assert_ne!(before, after);
        fs::write(root.path().join("Cargo.lock"), "# newer").unwrap();
        assert_ne!(after, digest(root.path(), &["a"]).unwrap());
    }
}
