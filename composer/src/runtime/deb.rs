//! Packing a program as a Debian package (deb(5)); pure, and the same bytes for the same input.

use std::collections::BTreeMap;
use std::io::Write;

use liblzma::write::XzEncoder;
use serde::Serialize;

use super::LocalDeb;
use super::elf::{Needs, Version};
use crate::Digest;
use crate::tree::{Content, Node, Tree};

/// What is known about a runtime crate from its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Meta {
    pub name: String,
    pub version: String,
    /// One line.
    pub description: String,
    pub homepage: String,
    /// Packages beside those of the libraries that the program links.
    pub depends: Vec<String>,
}

pub type Control = Vec<(String, String)>;

/// The time of every entry, in seconds since 1970: old enough for any lock's epoch.
const TIME: u64 = 1_700_000_000;
const ARCHITECTURE: &str = "amd64";
const XZ_LEVEL: u32 = 6;

/// Packs `program` as `/usr/bin/NAME`, with the files of `assets` in their places; gives the .deb and its control fields.
pub fn pack(meta: &Meta, program: &[u8], assets: &Tree, needs: &Needs) -> Result<(Vec<u8>, Control), String> {
    let mut files = assets.clone();
    for (path, node) in [
        (format!("usr/bin/{}", meta.name), Node::program(program)),
        (format!("usr/share/doc/{}/copyright", meta.name), Node::file(copyright(meta))),
    ] {
        if files.get(&path).is_some() {
            return Err(format!("/{path} is not for an asset: the package has a file of its own there"));
        }
        files.insert(path, node);
    }
    let data = tar(&files)?;
    let depends = depends(needs, &meta.depends)?;
    // Changed files are another version, so that a lock and dpkg see it.
    let content = Digest::of_value(&(Digest::of(&data), &depends, meta));
    let version = format!("{}+g{}", meta.version, content.short());
    let control = control(meta, &version, files.bytes().div_ceil(1024), depends);
    let mut control_files = Tree::default();
    control_files.insert("control", Node::file(paragraph(&control)));
    let deb = archive(&xz(&tar(&control_files)?)?, &xz(&data)?)?;
    Ok((deb, control))
}

/// The package as the rest of the composer knows it.
pub fn describe(deb: &[u8], control: Control) -> Result<LocalDeb, String> {
    let field = |name: &str| {
        let found = control.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        found.ok_or_else(|| format!("its control file has no {name}"))
    };
    let (name, version, architecture) = (field("Package")?, field("Version")?, field("Architecture")?);
    let filename = format!("{name}_{version}_{architecture}.deb");
    let (sha256, size) = (Digest::of(deb), deb.len() as u64);
    Ok(LocalDeb { name, version, architecture, sha256, size, filename, control })
}

/// The version that a Depends field asks of libc6.
pub fn glibc_of(depends: &str) -> Option<Version> {
    let libc = depends.split(',').find_map(|one| one.trim().strip_prefix("libc6 (>="))?;
    libc.trim_end_matches(')').trim().parse().ok()
}

fn depends(needs: &Needs, more: &[String]) -> Result<String, String> {
    let mut packages = more.to_vec();
    for library in &needs.libraries {
        let package = match library.as_str() {
            "libc.so.6" | "libm.so.6" | "libpthread.so.0" | "libdl.so.2" | "librt.so.1" | "ld-linux-x86-64.so.2" => {
                needs.glibc.map_or("libc6".to_owned(), |version| format!("libc6 (>= {version})"))
            }
            "libgcc_s.so.1" => "libgcc-s1 (>= 4.2)".to_owned(),
            other => return Err(format!("it links {other}, and no package is known for that")),
        };
        packages.push(package);
    }
    packages.sort();
    packages.dedup();
    Ok(packages.join(", "))
}

fn control(meta: &Meta, version: &str, installed_kib: u64, depends: String) -> Control {
    let fields = [
        ("Package", meta.name.clone()),
        ("Version", version.to_owned()),
        ("Architecture", ARCHITECTURE.to_owned()),
        ("Maintainer", "BorgOS <packages@borgos.invalid>".to_owned()),
        ("Installed-Size", installed_kib.to_string()),
        ("Depends", depends),
        // Its program and its Python package are called borg, too.
        ("Conflicts", "borgbackup".to_owned()),
        ("Section", "admin".to_owned()),
        ("Priority", "optional".to_owned()),
        ("Homepage", meta.homepage.clone()),
        ("Description", meta.description.clone()),
    ];
    let filled = fields.into_iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn paragraph(control: &Control) -> String {
    control.iter().map(|(name, value)| [name, ": ", value, "\n"].concat()).collect()
}

fn copyright(meta: &Meta) -> String {
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: {}\nSource: {}\n\nFiles: *\nCopyright: the BorgOS authors\nLicense: Apache-2.0\n\
         \x20On Debian systems, the full text is in /usr/share/common-licenses/Apache-2.0.\n",
        meta.name, meta.homepage
    )
}

/// A file's bytes and mode; `None` is a folder.
type Entry<'a> = Option<(&'a [u8], u32)>;

/// The files with the folders that they lie in, parents first.
fn tar(files: &Tree) -> Result<Vec<u8>, String> {
    let mut entries: BTreeMap<&str, Entry<'_>> = BTreeMap::new();
    for (path, node) in files.iter() {
        let Content::File(bytes) = &node.content else { return Err(format!("{path}: not a file")) };
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        entries.extend(folders.map(|folder| (folder, None)));
        entries.insert(path, Some((bytes, node.mode)));
    }
    let mut tar = tar::Builder::new(Vec::new());
    add(&mut tar, "./", None)?;
    for (path, file) in entries {
        let end = if file.is_some() { "" } else { "/" };
        add(&mut tar, &format!("./{path}{end}"), file)?;
    }
    tar.into_inner().map_err(|e| e.to_string())
}

fn add(tar: &mut tar::Builder<Vec<u8>>, path: &str, file: Entry<'_>) -> Result<(), String> {
    let (bytes, mode) = file.unwrap_or((&[], 0o755));
    let mut header = tar::Header::new_gnu();
    // Not `set_path`, which drops the leading `./` that dpkg's own archives have.
    let name = header.as_old_mut().name.get_mut(..path.len()).ok_or_else(|| format!("{path}: too long a path"))?;
    name.copy_from_slice(path.as_bytes());
    header.set_entry_type(if file.is_some() { tar::EntryType::Regular } else { tar::EntryType::Directory });
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    header.set_mtime(TIME);
    header.set_uid(0);
    header.set_gid(0);
    header.set_username("root").and_then(|()| header.set_groupname("root")).map_err(|e| e.to_string())?;
    header.set_cksum();
    tar.append(&header, bytes).map_err(|e| e.to_string())
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>, String> {
    // One thread: with more, the bytes would depend on how many there are.
    let mut encoder = XzEncoder::new(Vec::new(), XZ_LEVEL);
    encoder.write_all(bytes).map_err(|e| e.to_string())?;
    encoder.finish().map_err(|e| e.to_string())
}

fn archive(control: &[u8], data: &[u8]) -> Result<Vec<u8>, String> {
    let mut archive = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("control.tar.xz", control), ("data.tar.xz", data)] {
        let mut header = ar::Header::new(name.into(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(TIME);
        archive.append(&header, bytes).map_err(|e| e.to_string())?;
    }
    archive.into_inner().map_err(|e| e.to_string())
}
