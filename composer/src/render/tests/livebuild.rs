//! live-build takes the tree as its own: `lb config` has nothing to say and changes none of our files.
//!
//! The installed live-build is asked, or the one in `$LIVE_BUILD` (live-build's own variable for a source tree).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::contracts::written;
use super::*;

fn lb_config(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let path = std::env::var("PATH").unwrap();
    let bin = std::env::var("LIVE_BUILD").map_or_else(|_| PathBuf::from("/usr/bin"), |lb| Path::new(&lb).join("bin"));
    std::process::Command::new("lb")
        .arg("config")
        .args(arguments)
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env_remove("http_proxy")
        .env("SOURCE_DATE_EPOCH", "1750000000")
        .output()
        .expect("lb runs: install live-build")
}

/// Every file by path, with its bytes; links by their target.
fn files(folder: &Path, below: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        if path.is_symlink() {
            found.insert(name, std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
        } else if path.is_dir() {
            files(folder, &path, found);
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn lb_config_accepts_the_tree_and_leaves_it_alone() {
    for spec in [test_spec(), full_spec()] {
        let folder = written(&spec);
        let mut before = BTreeMap::new();
        files(folder.path(), folder.path(), &mut before);
        let output = lb_config(folder.path(), &[]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.lines().all(|l| !l.contains("W:") && !l.contains("E:")), "{said}");
        let mut after = BTreeMap::new();
        files(folder.path(), folder.path(), &mut after);
        for (path, bytes) in &before {
            assert!(after.get(path) == Some(bytes), "{path} was changed");
        }
        let lists: Vec<&String> = after.keys().filter(|path| path.starts_with("config/package-lists/")).collect();
        assert_eq!(lists, ["config/package-lists/borg.list.chroot", "config/package-lists/live.list.chroot"]);
    }
}

#[test]
fn lb_config_keeps_our_options_and_takes_others_after_them() {
    let folder = written(&full_spec());
    let output = lb_config(folder.path(), &["--mirror-chroot", "http://127.0.0.1:1/debian"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.path().join("config").join(name)).unwrap();
    let all = ["common", "bootstrap", "chroot", "binary"].map(read).concat();
    for line in [
        "LB_APT_RECOMMENDS=\"false\"",
        "LB_ARCHIVE_AREAS=\"main non-free-firmware\"",
        "LB_DISTRIBUTION=\"trixie\"",
        "LB_MIRROR_BOOTSTRAP=\"https://deb.debian.org/debian\"",
        "LB_MIRROR_CHROOT=\"http://127.0.0.1:1/debian\"",
        "LB_INITRAMFS=\"live-boot\"",
        "LB_LINUX_FLAVOURS_WITH_ARCH=\"amd64\"",
        "LB_SECURITY=\"true\"",
        "LB_FIRMWARE_CHROOT=\"false\"",
        "LB_CHROOT_SQUASHFS_COMPRESSION_TYPE=\"zstd\"",
        "LB_BOOTLOADER_BIOS=\"grub-pc\"",
        "LB_BOOTLOADER_EFI=\"grub-efi\"",
        "LB_ISO_VOLUME=\"TEST_BENCH\"",
        "LB_BOOTAPPEND_LIVE=\"boot=live\"",
        "LB_BOOTAPPEND_LIVE_FAILSAFE=\"boot=live\"",
    ] {
        assert!(all.lines().any(|l| l == line), "{line} is not in:\n{all}");
    }
}
