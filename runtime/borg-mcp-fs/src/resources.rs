//! Files and folders as resources, named by `file:` URIs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use rmcp::model::{Resource, ResourceContents, ResourceTemplate};

use crate::answer::Answer;
use crate::fault::Fault;
use crate::list;
use crate::paths::path_text;
use crate::read::{self, file_uri};
use crate::roots::Roots;

const FOLDER: &str = "inode/directory";

/// The roots; what lies below them is more than a list would hold, and is named by the template.
pub fn all(roots: &Roots) -> Vec<Resource> {
    let one = |path: &Path| Resource::new(file_uri(path), path_text(path)).with_mime_type(FOLDER);
    roots.iter().map(|root| one(&root.real)).collect()
}

pub fn template() -> ResourceTemplate {
    ResourceTemplate::new("file://{+path}", "file").with_title("File or folder").with_description(
        "What lies at an absolute path below an allowed directory: a file's content, a folder's names",
    )
}

/// The path that a URI names, as the tools take it. Whether it lies in a root is for others to say.
pub fn path(uri: &str) -> Result<String, Fault> {
    let fault = || Fault::new(format!("{uri}: not the URI of a file, such as file:///srv/borg/note.txt"));
    let rest = uri.strip_prefix("file://").ok_or_else(fault)?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') || rest.contains(['?', '#']) {
        return Err(fault());
    }
    let bytes: Vec<u8> = percent_decode_str(rest).collect();
    if bytes.contains(&0) {
        return Err(fault());
    }
    Ok(path_text(Path::new(OsStr::from_bytes(&bytes))))
}

/// A file's content, or a folder's names as `list_directory` gives them.
pub fn read(roots: &Roots, uri: &str, until: Instant) -> Result<ResourceContents, Fault> {
    let path = path(uri)?;
    if roots.metadata(&path)?.is_dir() {
        let text = list::names(roots, &path, until)?;
        return Ok(ResourceContents::text(text, uri).with_mime_type(FOLDER));
    }
    let (file, metadata, located) = roots.open_file(&path)?;
    match String::from_utf8(read::whole(&file, &path, metadata.len())?) {
        Ok(text) => {
            let Answer::Text(text) = Answer::text(text)? else { return Err(Fault::new("no text")) };
            Ok(ResourceContents::text(text, uri))
        }
        Err(e) => {
            let blob = BASE64_STANDARD.encode(e.as_bytes());
            Ok(ResourceContents::blob(blob, uri).with_mime_type(read::mime(&located.real(&file))))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{fault, root, soon};

    #[test]
    fn a_uri_is_a_path() {
        for (uri, expected) in [
            ("file:///srv/borg", "/srv/borg"),
            ("file://localhost/a%20b%23", "/a b#"),
            ("file:///%E4%F6", "/\\xe4\\xf6"),
            ("file:///a/../b", "/a/../b"),
        ] {
            assert_eq!(path(uri).unwrap(), expected);
        }
        for uri in ["", "/srv", "http://x/srv", "file://other/srv", "file:srv", "file:///a?b", "file:///a%00"] {
            assert!(fault(path(uri)).contains("not the URI of a file"), "{uri}");
        }
    }

    #[test]
    fn files_and_folders_can_be_read_by_their_uris() {
        let (folder, roots) = root(|f| {
            std::fs::write(f.join("a b.txt"), "text").unwrap();
            std::fs::write(f.join("c.png"), [0xff]).unwrap();
        });
        let read = |name: &str| {
            let uri = file_uri(&folder.path().join(name));
            serde_json::to_value(read(&roots, &uri, soon()).unwrap()).unwrap()
        };
        assert_eq!((&read("a b.txt")["text"], &read("a b.txt")["mimeType"]), (&json!("text"), &json!("text/plain")));
        assert_eq!((&read("c.png")["blob"], &read("c.png")["mimeType"]), (&json!("/w=="), &json!("image/png")));
        assert_eq!(read("")["text"], "[FILE] a b.txt\n[FILE] c.png");
        assert!(fault(super::read(&roots, "file:///etc/passwd", soon())).contains("Access denied"));
        assert_eq!(all(&roots).len(), 1);
    }
}
