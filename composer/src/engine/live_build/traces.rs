//! Looking for what the local archive needs while live-build works and what the image must not keep.

use std::fs;
use std::path::Path;

use crate::error::{Error, IoContext, Result};

/// Texts that make apt trust too much or look in the wrong place.
const TRACES: [&str; 5] = ["AllowUnauthenticated", "AllowInsecure", "trusted=yes", "127.0.0.1", "Proxy"];

/// Fails if apt's configuration in `root` has one of them.
pub fn refuse(root: &Path) -> Result<()> {
    let apt = root.join("etc/apt");
    match find(&apt)? {
        None => Ok(()),
        Some((trace, path)) => Err(Error::internal(format!("live-build left `{trace}` in the image's {path}"))),
    }
}

fn find(folder: &Path) -> Result<Option<(&'static str, String)>> {
    for entry in fs::read_dir(folder).at("read", folder)? {
        let path = entry.at("read", folder)?.path();
        let found =
            if path.is_dir() { find(&path)? } else { look(&path)?.map(|trace| (trace, path.display().to_string())) };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn look(path: &Path) -> Result<Option<&'static str>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(path).at("read", path)?;
    let text = String::from_utf8_lossy(&bytes).replace(' ', "");
    Ok(TRACES.into_iter().find(|trace| text.contains(trace)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_found_in_any_depth() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/apt/sources.list.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.list"), "deb http://deb.debian.org/debian trixie main\n").unwrap();
        refuse(root.path()).unwrap();
        fs::write(folder.join("b.list"), "deb [ trusted=yes ] file:/packages ./\n").unwrap();
        assert!(refuse(root.path()).unwrap_err().to_string().contains("trusted=yes"));
    }
}
