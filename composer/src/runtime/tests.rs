use std::io::Write as _;

use super::*;
use crate::tree::{Node, Tree};

fn meta() -> deb::Meta {
    deb::Meta {
        name: "borg-test".into(),
        version: "1.2.3".into(),
        description: "A test".into(),
        homepage: "https://example.org".into(),
        depends: Vec::new(),
    }
}

fn needs(glibc: (u32, u32)) -> elf::Needs {
    let libraries = ["libc.so.6", "libgcc_s.so.1", "libm.so.6"].map(String::from).into();
    elf::Needs { glibc: Some(elf::Version::new(glibc.0, glibc.1)), libraries }
}

fn packed(program: &[u8], glibc: (u32, u32)) -> (Vec<u8>, LocalDeb) {
    let (bytes, control) = deb::pack(&meta(), program, &Tree::default(), &needs(glibc)).unwrap();
    let package = deb::describe(&bytes, control).unwrap();
    (bytes, package)
}

#[test]
fn a_package_reads_back_as_it_was_packed() {
    let (bytes, package) = packed(b"program", (2, 34));
    assert_eq!(package.control, read::control(&bytes).unwrap());
    assert!(package.version.starts_with("1.2.3+g"), "{}", package.version);
    assert_eq!(package.filename, format!("borg-test_{}_amd64.deb", package.version));
    assert_eq!(package.field("Depends"), Some("libc6 (>= 2.34), libgcc-s1 (>= 4.2)"));
    assert_eq!(package.field("Conflicts"), Some("borgbackup"));
}

#[test]
fn the_same_program_is_the_same_package_and_another_one_another_version() {
    let (first, package) = packed(b"program", (2, 34));
    assert_eq!(first, packed(b"program", (2, 34)).0);
    assert_ne!(package.version, packed(b"programs", (2, 34)).1.version);
}

/// dpkg-deb is what reads our packages in the end; it is on every Debian machine.
#[test]
fn dpkg_accepts_a_package() {
    let (bytes, package) = packed(b"program", (2, 34));
    let mut file = tempfile::Builder::new().suffix(".deb").tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let dpkg = |verb: &str| duct::cmd!("dpkg-deb", verb, file.path()).env("TZ", "UTC").read().unwrap();
    assert!(dpkg("--info").contains(&format!(" Version: {}\n", package.version)));
    let contents = dpkg("--contents");
    let lines: Vec<String> = contents.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "drwxr-xr-x root/root 0 2023-11-14 22:13 ./",
            "drwxr-xr-x root/root 0 2023-11-14 22:13 ./usr/",
            "drwxr-xr-x root/root 0 2023-11-14 22:13 ./usr/bin/",
            "-rwxr-xr-x root/root 7 2023-11-14 22:13 ./usr/bin/borg-test",
            "drwxr-xr-x root/root 0 2023-11-14 22:13 ./usr/share/",
            "drwxr-xr-x root/root 0 2023-11-14 22:13 ./usr/share/doc/",
            "drwxr-xr-x root/root 0 2023-11-14 22:13 ./usr/share/doc/borg-test/",
            "-rw-r--r-- root/root 267 2023-11-14 22:13 ./usr/share/doc/borg-test/copyright",
        ]
    );
}

#[test]
fn a_program_for_a_newer_system_is_refused() {
    let (_, package) = packed(b"program", (2, 38));
    assert!(check_glibc(&package, Suite::Trixie).is_ok());
    let error = check_glibc(&package, Suite::Bookworm).unwrap_err();
    assert_eq!(error.to_string(), "borg-test was linked against GLIBC_2.38, but bookworm has glibc 2.36");
    assert!(error.help_text().unwrap().contains("--runtime"));
}

#[test]
fn an_unknown_library_is_refused() {
    let needs = elf::Needs { glibc: None, libraries: vec!["libudev.so.1".into()] };
    let why = deb::pack(&meta(), b"program", &Tree::default(), &needs).unwrap_err();
    assert_eq!(why, "it links libudev.so.1, and no package is known for that");
}

#[test]
fn assets_come_with_what_they_need_and_change_the_version() {
    let meta = deb::Meta { depends: vec!["python3".into()], ..meta() };
    let pack = |path: &str, text: &str| {
        let mut assets = Tree::default();
        assets.insert(path, Node::file(text).mode(0o640));
        deb::pack(&meta, b"program", &assets, &needs((2, 34)))
    };
    let (bytes, control) = pack("usr/lib/borg/python/run.py", "one").unwrap();
    let package = deb::describe(&bytes, control).unwrap();
    assert_eq!(package.field("Depends"), Some("libc6 (>= 2.34), libgcc-s1 (>= 4.2), python3"));
    assert_eq!(pack("usr/lib/borg/python/run.py", "one").unwrap().0, bytes);
    let (_, other) = pack("usr/lib/borg/python/run.py", "two").unwrap();
    assert_ne!(other, package.control);

    let root = tempfile::tempdir().unwrap();
    crate::archive::deb::unpack(&written(&bytes, root.path()), root.path()).unwrap();
    let file = root.path().join("usr/lib/borg/python/run.py");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions()) & 0o777, 0o640);

    let why = pack("usr/bin/borg-test", "x").unwrap_err();
    assert_eq!(why, "/usr/bin/borg-test is not for an asset: the package has a file of its own there");
    assert!(pack(&"x/".repeat(60), "x").unwrap_err().ends_with("too long a path"));
}

fn written(deb: &[u8], folder: &Path) -> PathBuf {
    let path = folder.join("test.deb");
    std::fs::write(&path, deb).unwrap();
    path
}

/// Where nothing is linked.
const NO_SYSROOT: Sysroot<'static> =
    Sysroot { packages: &[], unpack: &|| Err(Error::internal("nothing is to be linked")) };

#[test]
fn packages_come_from_a_folder_and_then_from_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let source = Source::find(Some(folder.path()), Path::new("/")).unwrap();
    let get = || debs(&["borg-test"], &source, &NO_SYSROOT, &store, &Progress::silent(), false);
    assert!(get().unwrap_err().to_string().starts_with("no package borg-test in "));

    let (bytes, package) = packed(b"program", (2, 34));
    std::fs::write(folder.path().join(&package.filename), &bytes).unwrap();
    assert_eq!(get().unwrap(), std::slice::from_ref(&package));
    let locked = LockedPackage {
        group: None,
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        layer: None,
        archive: "runtime".into(),
        filename: package.filename.clone(),
        size: package.size,
        sha256: package.sha256,
    };
    assert_eq!(from_store(&[&locked], &store).unwrap(), [package]);
    store.discard(&locked.sha256).unwrap();
    assert!(from_store(&[&locked], &store).unwrap_err().to_string().contains("is not in the store"));

    std::fs::write(folder.path().join("borg-test_9_amd64.deb"), "!<arch>\n").unwrap();
    assert!(get().unwrap_err().to_string().starts_with("more than one package borg-test"));
}

#[test]
fn a_checkout_is_found_from_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let found = Source::find(None, &root.join("composer/src/runtime")).unwrap();
    assert_eq!(found, Source::Checkout(root.to_owned()));
    assert!(Source::find(None, Path::new("/")).unwrap_err().help_text().unwrap().contains("BORG_RUNTIME"));
    let unknown = debs(
        &["borg-none"],
        &found,
        &NO_SYSROOT,
        &Store::open(tempfile::tempdir().unwrap().path()).unwrap(),
        &Progress::silent(),
        false,
    );
    assert!(unknown.unwrap_err().to_string().starts_with("there is no runtime crate borg-none"));
}
