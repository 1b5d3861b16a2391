//! Walking a folder and writing it as one tar stream whose bytes depend on content alone.
//!
//! Entries are sorted, times are clamped to the epoch, hard links kept. In an overlay's upper folder, deletions are
//! character devices 0:0 and replaced folders carry `trusted.overlay.opaque`: both go into the stream as they are, because
//! that is what live-boot's overlay reads.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::engine::native::marks;
use crate::error::{IoContext, Result};
use crate::tree::{Content, Tree};

/// Writes the folder `root`, without the root itself, to `sink`.
pub fn pack(root: &Path, epoch: u64, sink: impl Write) -> Result<()> {
    let mut packer = Packer { root, epoch, links: HashMap::new(), tar: Builder::new(sink) };
    packer.folder(root)?;
    packer.tar.into_inner().and_then(|mut sink| sink.flush()).at("finish packing", root)
}

struct Packer<'a, W: Write> {
    root: &'a Path,
    epoch: u64,
    /// First path of each file that has several names, by inode.
    links: HashMap<(u64, u64), PathBuf>,
    tar: Builder<W>,
}

impl<W: Write> Packer<'_, W> {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).at("read", folder)? {
            names.push(entry.at("read", folder)?.file_name());
        }
        names.sort_unstable();
        for name in names {
            let path = folder.join(name);
            let meta = fs::symlink_metadata(&path).at("read", &path)?;
            self.entry(&path, &meta).at("pack", &path)?;
            if meta.is_dir() {
                self.folder(&path)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, meta: &Metadata) -> io::Result<()> {
        let name = path.strip_prefix(self.root).unwrap_or(path);
        let kind = meta.file_type();
        // A socket is nothing without the process that bound it.
        if kind.is_socket() {
            return Ok(());
        }
        let mut header = self.header(meta);
        if meta.nlink() > 1 && !meta.is_dir() {
            if let Some(first) = self.links.get(&(meta.dev(), meta.ino())) {
                header.set_entry_type(EntryType::Link);
                header.set_size(0);
                return self.tar.append_link(&mut header, name, first);
            }
            self.links.insert((meta.dev(), meta.ino()), name.to_owned());
        }
        self.xattrs(path)?;
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            return self.tar.append_link(&mut header, name, fs::read_link(path)?);
        }
        if kind.is_file() {
            header.set_entry_type(EntryType::Regular);
            header.set_size(meta.len());
            return self.tar.append_data(&mut header, name, File::open(path)?);
        }
        header.set_entry_type(match () {
            () if kind.is_dir() => EntryType::Directory,
            () if kind.is_fifo() => EntryType::Fifo,
            () if kind.is_block_device() => EntryType::Block,
            () => EntryType::Char,
        });
        if kind.is_char_device() || kind.is_block_device() {
            let device = meta.rdev();
            header.set_device_major(u32::try_from(nix::sys::stat::major(device)).unwrap_or(0))?;
            header.set_device_minor(u32::try_from(nix::sys::stat::minor(device)).unwrap_or(0))?;
        }
        self.tar.append_data(&mut header, name, io::empty())
    }

    fn header(&self, meta: &Metadata) -> Header {
        let mut header = Header::new_gnu();
        header.set_mode(meta.mode() & 0o7777);
        header.set_uid(meta.uid().into());
        header.set_gid(meta.gid().into());
        header.set_mtime(u64::try_from(meta.mtime()).unwrap_or(0).min(self.epoch));
        header.set_size(0);
        header
    }

    fn xattrs(&mut self, path: &Path) -> io::Result<()> {
        let mut kept = Vec::new();
        for name in xattr::list(path)? {
            let Some(written) = marks::written(&String::from_utf8_lossy(name.as_bytes())) else { continue };
            if let Some(value) = xattr::get(path, &name)? {
                kept.push((format!("SCHILY.xattr.{written}"), marks::value(&written, value)));
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        kept.sort_unstable();
        self.tar.append_pax_extensions(kept.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    }
}

/// Writes a tree of files, owned by root, below `root`; parent folders are made where they are missing.
pub fn write_tree(tree: &Tree, root: &Path, epoch: u64) -> Result<()> {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(epoch);
    for (path, node) in tree.iter() {
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).at("create", parent)?;
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(node.mode);
        match &node.content {
            Content::File(bytes) => {
                let _ = fs::remove_file(&path);
                fs::write(&path, bytes).at("write", &path)?;
                fs::set_permissions(&path, mode).at("write", &path)?;
                File::options().write(true).open(&path).and_then(|f| f.set_modified(time)).at("write", &path)?;
            }
            Content::Symlink(target) => {
                let _ = fs::remove_file(&path);
                std::os::unix::fs::symlink(target, &path).at("link", &path)?;
            }
            Content::Folder => {
                fs::create_dir_all(&path).at("create", &path)?;
                fs::set_permissions(&path, mode).at("write", &path)?;
            }
        }
    }
    Ok(())
}

/// Writes a tree in memory as a tar stream; owners are numbers by now. Missing parent folders are implied as 0755 root:root.
pub fn pack_tree(tree: &Tree, epoch: u64, sink: impl Write) -> Result<()> {
    let mut tar = Builder::new(sink);
    let mut made = std::collections::BTreeSet::new();
    for (path, node) in tree.iter() {
        parents(&mut tar, path, epoch, &mut made, tree)?;
        let mut header = tree_header(node, epoch)?;
        made.insert(path.to_owned());
        match &node.content {
            Content::File(bytes) => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, path, bytes.as_slice())
            }
            Content::Symlink(target) => {
                header.set_entry_type(EntryType::Symlink);
                tar.append_link(&mut header, path, target)
            }
            Content::Folder => {
                header.set_entry_type(EntryType::Directory);
                tar.append_data(&mut header, path, io::empty())
            }
        }
        .at("pack", Path::new(path))?;
    }
    tar.into_inner().and_then(|mut sink| sink.flush()).at("finish packing", Path::new("the profile's files"))
}

fn tree_header(node: &crate::tree::Node, epoch: u64) -> Result<Header> {
    let number = |text: &str| match text {
        "root" => Ok(0),
        other => other
            .parse::<u64>()
            .map_err(|e| crate::Error::internal(format!("the owner {other} is not a number by now")).because(&e)),
    };
    let mut header = Header::new_gnu();
    header.set_mode(node.mode);
    header.set_uid(number(&node.owner)?);
    header.set_gid(number(&node.group)?);
    header.set_mtime(epoch);
    header.set_size(0);
    Ok(header)
}

fn parents(
    tar: &mut Builder<impl Write>,
    path: &str,
    epoch: u64,
    made: &mut std::collections::BTreeSet<String>,
    tree: &Tree,
) -> Result<()> {
    for (end, _) in path.match_indices('/') {
        let folder = &path[..end];
        if made.contains(folder) || tree.get(folder).is_some() {
            continue;
        }
        let mut header = tree_header(&crate::tree::Node::folder(), epoch)?;
        header.set_entry_type(EntryType::Directory);
        tar.append_data(&mut header, folder, io::empty()).at("pack", Path::new(folder))?;
        made.insert(folder.to_owned());
    }
    Ok(())
}
