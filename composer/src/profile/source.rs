//! Finding and reading a profile.

#![allow(clippy::disallowed_methods, reason = "an edge: the profile's file")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::{regular, suggest};

/// The largest profile that is read.
const LIMIT: u64 = 1 << 20;

/// Reads a profile's text, within limits.
pub fn load(path: &Path) -> Result<String> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| unreadable(path, &e);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Error::input(format!("{shown} is a folder, not a profile"))
            .help("name the YAML file in it, such as `profiles/edge-iot.yaml`"));
    }
    if !metadata.is_file() {
        return Err(Error::input(format!("{shown} is no regular file")).help("give the path of a YAML file"));
    }
    let mut bytes = Vec::new();
    if metadata.len() <= LIMIT {
        // A file may grow between the question and the reading.
        regular::open(path).map_err(unreadable)?.take(LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    let size = metadata.len().max(bytes.len() as u64);
    if size > LIMIT {
        return Err(Error::input(format!(
            "{shown} is too large for a profile: {size} bytes, at most {LIMIT} are read"
        ))
        .help("put large texts into files beside the profile and name them with `source:`"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::input(format!("{shown} is not UTF-8 text: byte {} is none of it", at + 1))
            .help("save it as UTF-8, or give the path of a YAML file")
    })
}

fn unreadable(path: &Path, e: &std::io::Error) -> Error {
    let shown = path.display();
    let error = Error::input(format!("cannot read the profile {shown}")).because(e);
    match e.kind() {
        std::io::ErrorKind::PermissionDenied => {
            error.help(format!("make it readable for you: `chmod u+r {shown}`, or run as its owner"))
        }
        std::io::ErrorKind::NotFound => error.help("check the path, or give the name of a profile in `./profiles`"),
        _ => error.help("check the path and the file system that it is on"),
    }
}

/// The file that a profile's name or path means, seen from `cwd`.
pub fn find(name_or_path: &str, cwd: &Path) -> Result<PathBuf> {
    if name_or_path.contains('/') || is_yaml(Path::new(name_or_path)) {
        let path = below(cwd, name_or_path);
        return match fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                Err(missing(format!("there is no profile at {name_or_path}"), name_or_path, cwd))
            }
            // A folder is told when it is read.
            Ok(found) if !found.is_dir() && !is_yaml(&path) => Err(no_yaml(&path)),
            _ => alone(path),
        };
    }
    for extension in EXTENSIONS {
        let path = below(cwd, &format!("profiles/{name_or_path}.{extension}"));
        if path.exists() {
            return alone(path);
        }
    }
    let folder = below(cwd, "profiles");
    Err(missing(format!("there is no profile `{name_or_path}` in {}", folder.display()), name_or_path, cwd))
}

/// What a profile's file name ends in. The lock beside it ends in `.lock`.
const EXTENSIONS: [&str; 2] = ["yaml", "yml"];

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|found| EXTENSIONS.iter().any(|extension| found == *extension))
}

fn no_yaml(path: &Path) -> Error {
    let error = Error::input(format!("{} is not named as a profile is", path.display()));
    if path.extension().is_some_and(|extension| extension == "lock") {
        return error.help("this is a lock: name the profile beside it, which ends in `.yaml` or `.yml`");
    }
    error.help("give its name the ending `.yaml` or `.yml`: the lock goes beside it, with the ending `.lock`")
}

/// Two profiles that differ in the ending only would share one lock.
fn alone(path: PathBuf) -> Result<PathBuf> {
    let other = EXTENSIONS.iter().map(|extension| path.with_extension(extension)).find(|other| *other != path);
    match other.filter(|other| is_yaml(&path) && other.exists()) {
        Some(other) => {
            let lock = path.with_extension("lock");
            let message = format!("{} and {} would share {}", path.display(), other.display(), lock.display());
            Err(Error::input(message).help("rename or remove one of the two"))
        }
        None => Ok(path),
    }
}

/// The path seen from `cwd`, short where `cwd` is the current folder.
fn below(cwd: &Path, path: &str) -> PathBuf {
    if cwd == Path::new(".") { PathBuf::from(path) } else { cwd.join(path) }
}

fn missing(message: String, wanted: &str, cwd: &Path) -> Error {
    let names = names(&cwd.join("profiles"));
    let stem = Path::new(wanted).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let help = match (suggest::closest(&stem, names.iter().map(String::as_str)), names.is_empty()) {
        (Some(close), _) if close != stem => {
            format!("did you mean `{close}`? the profiles there are: {}", names.join(", "))
        }
        (_, false) => format!("the profiles there are: {}", names.join(", ")),
        (_, true) => "run it in the folder that holds `profiles/`, or give a path to a YAML file".to_owned(),
    };
    Error::input(message).help(help)
}

/// The names of the profiles in a folder, sorted; without those that nobody can give.
pub fn names(folder: &Path) -> Vec<String> {
    let names = files(folder).into_iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names of all profiles in a folder, each of which can be given.
pub fn all(folder: &Path) -> Result<Vec<String>> {
    match files(folder).into_iter().find(|path| path.to_str().is_none()) {
        Some(path) => Err(Error::input(format!("the name of {} is not UTF-8", path.display()))
            .help("rename it: the name is part of the ISO's")),
        None => Ok(names(folder)),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_yaml(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("profiles")).unwrap();
        fs::write(folder.path().join("profiles/edge-iot.yaml"), "profile: edge-iot\n").unwrap();
        folder
    }

    #[test]
    fn names_and_paths() {
        let folder = folder();
        let expected = folder.path().join("profiles/edge-iot.yaml");
        assert_eq!(find("edge-iot", folder.path()).unwrap(), expected);
        assert_eq!(find("profiles/edge-iot.yaml", folder.path()).unwrap(), expected);
        assert_eq!(load(&expected).unwrap(), "profile: edge-iot\n");
        let error = find("edge-iott", folder.path()).unwrap_err();
        assert_eq!(error.help_text(), Some("did you mean `edge-iot`? the profiles there are: edge-iot"));
        assert!(find("other/edge.yaml", folder.path()).is_err());
    }

    #[test]
    fn a_name_that_cannot_be_given_is_no_surprise() {
        let folder = folder();
        let profiles = folder.path().join("profiles");
        assert_eq!(all(&profiles).unwrap(), ["edge-iot"]);
        fs::write(profiles.join(std::ffi::OsStr::from_bytes(b"\xff.yaml")), "profile: x\n").unwrap();
        assert!(all(&profiles).unwrap_err().to_string().ends_with("is not UTF-8"));
        assert_eq!(names(&profiles), ["edge-iot"]);
    }

    #[test]
    fn a_profile_and_its_lock_are_two_files() {
        let folder = folder();
        let at = |name: &str| folder.path().join("profiles").join(name);
        fs::write(at("edge-iot.lock"), "").unwrap();
        let error = find("profiles/edge-iot.lock", folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("edge-iot.lock is not named as a profile is"), "{error}");
        assert!(error.help_text().unwrap().contains("`.yaml` or `.yml`"));
        fs::write(at("edge-iot.yml"), "profile: edge-iot\n").unwrap();
        for name in ["edge-iot", "profiles/edge-iot.yaml", "profiles/edge-iot.yml"] {
            let error = find(name, folder.path()).unwrap_err().to_string();
            assert!(["edge-iot.yaml", "edge-iot.yml", "edge-iot.lock"].iter().all(|n| error.contains(n)), "{error}");
        }
    }

    #[test]
    fn what_is_no_profile() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        fs::File::create(at("huge.yaml")).unwrap().set_len(100_000_000).unwrap();
        fs::write(at("latin.yaml"), b"profile: \xfcber").unwrap();
        nix::unistd::mkfifo(&at("pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, part) in [
            ("huge.yaml", "too large for a profile: 100000000 bytes"),
            ("latin.yaml", "not UTF-8 text: byte 10"),
            ("pipe.yaml", "no regular file"),
            ("profiles", "is a folder"),
            ("none.yaml", "cannot read the profile"),
        ] {
            let error = load(&at(name)).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.help_text().is_some());
        }
    }
}
