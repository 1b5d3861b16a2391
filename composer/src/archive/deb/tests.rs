//! Packages made in memory, unpacked into temporary folders.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::*;

/// A tar of `(path, type, mode, link target or content)`, with names taken as they are, `..` too.
fn tar_of(entries: &[(&str, EntryType, u32, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, mode, text) in entries {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_700_000_000);
        header.set_uid(u64::from(nix::unistd::getuid().as_raw()));
        header.set_gid(u64::from(nix::unistd::getgid().as_raw()));
        let content = if *kind == EntryType::Regular { text.as_bytes() } else { b"" };
        if *kind != EntryType::Regular {
            header.set_link_name_literal(text).unwrap();
        }
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A package with these data entries and this control file.
pub fn deb_of(data: &[(&str, EntryType, u32, &str)], control: &str) -> Vec<u8> {
    let control = tar_of(&[("./control", EntryType::Regular, 0o644, control)]);
    let mut ar = ar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        ar.append(&ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64), bytes).unwrap();
    };
    add("debian-binary", b"2.0\n");
    add("control.tar", &control);
    add("data.tar.zst", &zstd::encode_all(&tar_of(data)[..], 3).unwrap());
    ar.into_inner().unwrap()
}

fn unpacked(into: &Path, data: &[(&str, EntryType, u32, &str)]) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let deb = folder.path().join("x.deb");
    fs::write(&deb, deb_of(data, "Package: x\n")).unwrap();
    unpack(&deb, into)
}

use EntryType::{Directory, Link, Regular, Symlink};

#[test]
fn control_is_read() {
    let control = control_of(&deb_of(&[], "Package: x\nVersion: 1\n")[..]).unwrap();
    assert_eq!(control.get("Version"), Some("1"));
    assert!(control_of(&b"!<arch>\n"[..]).is_err());
    assert!(control_of(&b"not an archive"[..]).is_err());
}

#[test]
fn modes_times_and_links() {
    let root = tempfile::tempdir().unwrap();
    let data = [
        ("./", Directory, 0o755, ""),
        ("./usr/", Directory, 0o750, ""),
        ("./usr/su", Regular, 0o4755, "text"),
        ("./usr/same", Link, 0o4755, "./usr/su"),
        ("./usr/soft", Symlink, 0o777, "/etc/passwd"),
    ];
    unpacked(root.path(), &data).unwrap();
    let meta = fs::metadata(root.path().join("usr/same")).unwrap();
    assert_eq!((meta.permissions().mode() & 0o7777, meta.nlink(), meta.mtime()), (0o4755, 2, 1_700_000_000));
    assert_eq!(fs::read_link(root.path().join("usr/soft")).unwrap(), Path::new("/etc/passwd"));
    let folder = fs::metadata(root.path().join("usr")).unwrap();
    assert_eq!((folder.permissions().mode() & 0o7777, folder.mtime()), (0o750, 1_700_000_000));
    // Again, over itself: files are replaced.
    unpacked(root.path(), &data).unwrap();
}

#[test]
fn merged_usr_links_are_followed_inside_the_root() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("usr/bin")).unwrap();
    symlink("usr/bin", root.path().join("bin")).unwrap();
    symlink("/usr/lib", root.path().join("lib")).unwrap();
    let data = [
        ("./bin/", Directory, 0o755, ""),
        ("./bin/sh", Regular, 0o755, "sh"),
        ("./usr/lib/", Directory, 0o755, ""),
        ("./lib/deep/x", Regular, 0o644, "x"),
    ];
    unpacked(root.path(), &data).unwrap();
    assert_eq!(fs::read(root.path().join("usr/bin/sh")).unwrap(), b"sh");
    assert_eq!(fs::read(root.path().join("usr/lib/deep/x")).unwrap(), b"x");
    assert!(root.path().join("bin").is_symlink());
}

#[test]
fn nothing_leaves_the_root() {
    let outside = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    let away = outside.path().to_str().unwrap();
    // A link to the outside, then a file through it: it lands at that path inside the root, or fails.
    let _ = unpacked(root.path(), &[("./away", Symlink, 0o777, away), ("./away/x", Regular, 0o644, "x")]);
    let up = format!("../../../../../../../..{away}");
    let _ = unpacked(root.path(), &[("./up", Symlink, 0o777, &up), ("./up/x", Regular, 0o644, "x")]);
    assert!(unpacked(root.path(), &[("./../x", Regular, 0o644, "x")]).is_err());
    assert!(unpacked(root.path(), &[("./x", Link, 0o644, "../../etc/passwd")]).is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn packages_unpack_side_by_side() {
    let root = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let name = format!("./usr/share/doc/f{n}");
            let root = root.path();
            scope.spawn(move || {
                let folders = ["./usr/", "./usr/share/", "./usr/share/doc/"].map(|f| (f, Directory, 0o755, ""));
                for _ in 0..20 {
                    unpacked(root, &[&folders[..], &[(&name, Regular, 0o644, "x")]].concat()).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(root.path().join("usr/share/doc")).unwrap().count(), 8);
}

#[test]
fn repacked_it_is_the_same_package() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.deb"), folder.path().join("second.deb"));
    let long = "long ".repeat(100_000);
    let data = [("./", Directory, 0o755, ""), ("./su", Regular, 0o4755, "text"), ("./long", Regular, 0o644, &long)];
    fs::write(&first, deb_of(&data, "Package: x\nVersion: 1\n")).unwrap();
    let mut scratch = tempfile::tempfile().unwrap();
    let mut seen = Vec::new();
    let mut out = File::create_new(&second).unwrap();
    repack(&first, &mut scratch, &mut out, |path, bytes| {
        // What is read of a file, or not read, is copied all the same.
        if path == "long" {
            bytes.read_exact(&mut [0; 4])?;
        }
        seen.push(path.to_owned());
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, ["", "su", "long"]);
    assert_eq!(control(&second).unwrap().get("Version"), Some("1"));
    let tar = |deb: &Path| {
        let mut bytes = Vec::new();
        data_tar(File::open(deb).unwrap(), |tar| tar.read_to_end(&mut bytes)).unwrap();
        bytes
    };
    assert!(tar(&first) == tar(&second));
}

#[test]
fn what_is_no_package_cannot_be_repacked() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.deb");
    let whole = deb_of(&[("./a", Regular, 0o644, "text")], "Package: x\n");
    for bytes in [&b""[..], b"!<arch>\n", &whole[..whole.len() - 20]] {
        fs::write(&broken, bytes).unwrap();
        let (mut scratch, mut out) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        assert!(repack(&broken, &mut scratch, &mut out, |_, _| Ok(())).is_err());
    }
}
