//! Linking the runtime's programs against pinned packages: with the linker that comes with Rust and the start files and
//! libraries of a sysroot, so that neither the host's C compiler nor its C library has a part in the bytes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::IoContext;
use crate::{Error, Result};

/// Where Debian's packages put libraries for x86-64.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Where libgcc's files are, in a folder that has the compiler's version for its name.
const COMPILER: &str = "usr/lib/gcc/x86_64-linux-gnu";
const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";

/// rustc's flags for linking against the packages unpacked in `sysroot`. rustc names objects and libraries; what a C
/// compiler would add comes here.
pub fn flags(sysroot: &Path) -> Result<Vec<String>> {
    let (libraries, compiler) = (sysroot.join(LIBRARIES), compiler(sysroot)?);
    let joined = |name: &str, path: &Path| [OsStr::new(name), path.as_os_str()].join(OsStr::new(""));
    let words = [
        "-dynamic-linker".into(),
        INTERPRETER.into(),
        joined("--sysroot=", sysroot),
        joined("-L", &libraries),
        joined("-L", &compiler),
        libraries.join("Scrt1.o").into(),
        libraries.join("crti.o").into(),
        compiler.join("crtbeginS.o").into(),
        compiler.join("crtendS.o").into(),
        libraries.join("crtn.o").into(),
    ];
    let mut flags = vec!["-Clinker=rust-lld".to_owned(), "-Clinker-flavor=ld.lld".to_owned()];
    for word in words {
        let word = word.into_string().map_err(|_| {
            Error::host(format!("cannot link with {}: its name is not UTF-8", sysroot.display()))
                .help("give another store with --store or BORG_STORE")
        })?;
        flags.push(format!("-Clink-arg={word}"));
    }
    Ok(flags)
}

/// Makes the sysroot seen below cargo's folder, under the name of its packages: cargo compiles everything anew when a flag
/// changes, and stores are in many places.
pub fn place(sysroot: &Path, target: &Path) -> Result<PathBuf> {
    fs::create_dir_all(target).at("create", target)?;
    let place = target.join(Path::new("sysroot").with_extension(sysroot.file_name().unwrap_or_default()));
    // Renamed into place, because another run may be linking through it.
    let made = tempfile::Builder::new().prefix(".sysroot").make_in(target, |path| symlink(sysroot, path));
    let made = made.at("link a sysroot in", target)?;
    made.into_temp_path().persist(&place).map_err(|e| e.error).at("link", &place)?;
    Ok(place)
}

fn compiler(sysroot: &Path) -> Result<PathBuf> {
    let folder = sysroot.join(COMPILER);
    let mut entries = fs::read_dir(&folder).at("read", &folder)?;
    let found = entries.next().transpose().at("read", &folder)?;
    found.map(|entry| entry.path()).ok_or_else(|| Error::internal(format!("{} is empty", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sysroot_has_one_place_whatever_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let stores = ["a/abc", "b/abc"].map(|name| folder.path().join(name));
        let places = stores.each_ref().map(|store| {
            fs::create_dir_all(store).unwrap();
            place(store, &target).unwrap()
        });
        assert_eq!(places[0], places[1]);
        assert_eq!(fs::read_link(&places[1]).unwrap(), stores[1]);
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    }

    #[test]
    fn start_files_come_from_the_sysroot() {
        let root = tempfile::tempdir().unwrap();
        assert!(flags(root.path()).unwrap_err().to_string().starts_with("cannot read "));
        fs::create_dir_all(root.path().join(COMPILER).join("14")).unwrap();
        let flags = flags(root.path()).unwrap();
        let path = |below: &str| format!("-Clink-arg={}/{below}", root.path().display());
        assert_eq!(flags[..2], ["-Clinker=rust-lld", "-Clinker-flavor=ld.lld"]);
        assert!(flags.contains(&path("usr/lib/x86_64-linux-gnu/Scrt1.o")));
        assert!(flags.contains(&path("usr/lib/gcc/x86_64-linux-gnu/14/crtbeginS.o")));
    }
}
