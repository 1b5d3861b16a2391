//! What a runtime crate's manifest says of its package: its description, and under `[package.metadata.deb]` what the
//! package depends on and which files it brings beside the program.

use std::fs;
use std::path::{Component, Path};

use serde::Deserialize;

use super::deb::Meta;
use crate::error::IoContext;
use crate::tree::{Node, Tree};
use crate::{Error, Result};

/// What a package is made of beside the program.
#[derive(Debug)]
pub struct Crate {
    pub meta: Meta,
    /// Files by their place in the image.
    pub assets: Tree,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    description: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    deb: Deb,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deb {
    #[serde(default)]
    depends: Vec<String>,
    #[serde(default)]
    assets: Vec<Asset>,
}

/// The keys are cargo-deb's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    /// A file, or a folder of files, in the crate.
    source: String,
    /// Its absolute path in the image.
    dest: String,
    /// Of each file, in octal.
    mode: String,
}

#[derive(Deserialize)]
struct Root {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    package: Shared,
}

#[derive(Deserialize)]
struct Shared {
    version: String,
    repository: String,
}

/// What there is to know of the runtime crate `name` in the checkout `root`.
pub fn read(root: &Path, name: &str) -> Result<Crate> {
    let folder = root.join("runtime").join(name);
    let path = folder.join("Cargo.toml");
    if !path.is_file() {
        return Err(Error::input(format!("there is no runtime crate {name}: {} is missing", path.display()))
            .help("`runtime:` in a service's service.yaml names folders of runtime/"));
    }
    let (own, shared): (Manifest, Root) = (toml(&path)?, toml(&root.join("Cargo.toml"))?);
    let Deb { depends, assets } = own.package.metadata.deb;
    let wrong = |why: String| {
        Error::input(format!("{}: [package.metadata.deb]: {why}", path.display()))
            .help("an asset is `{ source = \"share/x\", dest = \"/usr/share/x\", mode = \"644\" }`")
    };
    if let Some(odd) = depends.iter().find(|one| one.trim().is_empty() || one.contains(char::is_control)) {
        return Err(wrong(format!("{odd:?} is no package to depend on")));
    }
    let mut files = Tree::default();
    for asset in &assets {
        add(asset, &folder, &mut files, &wrong)?;
    }
    let meta = Meta {
        name: name.to_owned(),
        version: shared.workspace.package.version,
        description: own.package.description,
        homepage: shared.workspace.package.repository,
        depends,
    };
    Ok(Crate { meta, assets: files })
}

fn toml<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).at("read", path)?;
    toml::from_str(&text).map_err(|e| Error::input(format!("cannot read {}", path.display())).because(&e))
}

fn add(asset: &Asset, folder: &Path, files: &mut Tree, wrong: &dyn Fn(String) -> Error) -> Result<()> {
    let Asset { source, dest, mode } = asset;
    let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o777);
    let mode = mode.ok_or_else(|| wrong(format!("`{}` is no mode", asset.mode)))?;
    if source.is_empty() || !is_inside(Path::new(source)) {
        return Err(wrong(format!("the source `{source}` is not inside the crate")));
    }
    let place = dest.strip_prefix('/').filter(|place| !place.is_empty() && is_inside(Path::new(place)));
    let place = place.ok_or_else(|| wrong(format!("`{dest}` is no place in the image")))?;
    copy(&folder.join(source), place.trim_end_matches('/'), mode, files, wrong)
}

/// Whether a path stays in the folder that it is relative to.
fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

fn copy(from: &Path, to: &str, mode: u32, files: &mut Tree, wrong: &dyn Fn(String) -> Error) -> Result<()> {
    let kind = fs::symlink_metadata(from).map_err(|e| wrong(format!("{}: {e}", from.display())))?;
    if kind.is_file() {
        files.insert(to, Node::file(fs::read(from).at("read", from)?).mode(mode));
        return Ok(());
    }
    if !kind.is_dir() {
        return Err(wrong(format!("{} is neither a file nor a folder", from.display())));
    }
    for entry in fs::read_dir(from).at("read", from)? {
        let name = entry.at("read", from)?.file_name();
        let name = name.to_str().ok_or_else(|| wrong(format!("a name in {} is not UTF-8", from.display())))?;
        if !is_cache(name) {
            copy(&from.join(name), &format!("{to}/{name}"), mode, files, wrong)?;
        }
    }
    Ok(())
}

/// What Python and its checkers leave beside sources: no part of them.
pub fn is_cache(name: &str) -> bool {
    name == "__pycache__" || (name.starts_with('.') && name.ends_with("_cache"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout with one crate whose manifest ends in `more`.
    fn checkout(more: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("runtime/host");
        for sub in ["python/borg/__pycache__", "python/.mypy_cache"] {
            fs::create_dir_all(folder.join(sub)).unwrap();
        }
        let text = "[workspace.package]\nversion = \"1.0\"\nrepository = \"https://example.org\"\n";
        fs::write(root.path().join("Cargo.toml"), text).unwrap();
        fs::write(folder.join("Cargo.toml"), format!("[package]\ndescription = \"x\"\n{more}")).unwrap();
        for file in ["borg/plugin.py", "borg/__pycache__/plugin.pyc", ".mypy_cache/x", "run.py"] {
            fs::write(folder.join("python").join(file), file).unwrap();
        }
        std::os::unix::fs::symlink("/etc/shadow", folder.join("python/link")).unwrap();
        root
    }

    fn assets(list: &str) -> Result<Crate> {
        let root = checkout(&format!("[package.metadata.deb]\ndepends = [\"python3\"]\nassets = [{list}]\n"));
        read(root.path(), "host")
    }

    #[test]
    fn folders_and_files_get_their_places() {
        let both = r#"{ source = "python/borg", dest = "/usr/lib/borg/python/borg", mode = "644" },
                      { source = "python/run.py", dest = "/usr/lib/borg/python/go", mode = "0755" }"#;
        let found = assets(both).unwrap();
        assert_eq!(found.meta.depends, ["python3"]);
        let listing: Vec<String> = found.assets.iter().map(|(path, node)| format!("{path} {:o}", node.mode)).collect();
        assert_eq!(listing, ["usr/lib/borg/python/borg/plugin.py 644", "usr/lib/borg/python/go 755"]);
    }

    #[test]
    fn without_the_table_there_is_the_program_alone() {
        let found = read(checkout("").path(), "host").unwrap();
        assert!(found.assets.is_empty() && found.meta.depends.is_empty());
    }

    #[test]
    fn what_cannot_be_is_told() {
        let asset = |source: &str, dest: &str, mode: &str| {
            let list = format!("{{ source = \"{source}\", dest = \"{dest}\", mode = \"{mode}\" }}");
            assets(&list).unwrap_err().to_string()
        };
        for (said, part) in [
            (asset("../x", "/usr/x", "644"), "the source `../x` is not inside the crate"),
            (asset("/etc/passwd", "/usr/x", "644"), "is not inside the crate"),
            (asset("", "/usr/x", "644"), "is not inside the crate"),
            (asset("none", "/usr/x", "644"), "No such file"),
            (asset("python/run.py", "usr/x", "644"), "`usr/x` is no place in the image"),
            (asset("python/run.py", "/usr/../x", "644"), "is no place in the image"),
            (asset("python/run.py", "/", "644"), "is no place in the image"),
            (asset("python/run.py", "/usr/x", "rw"), "`rw` is no mode"),
            (asset("python/run.py", "/usr/x", "4755"), "`4755` is no mode"),
            (asset("python", "/usr/x", "644"), "is neither a file nor a folder"),
        ] {
            assert!(said.contains(part) && said.contains("runtime/host/Cargo.toml: [package.metadata.deb]"), "{said}");
        }
        let odd = checkout("[package.metadata.deb]\ndepends = [\"x\\nEssential: yes\"]\n");
        assert!(read(odd.path(), "host").unwrap_err().to_string().contains("is no package to depend on"));
        let unknown = checkout("[package.metadata.deb]\nasset = []\n");
        assert!(read(unknown.path(), "host").unwrap_err().to_string().starts_with("cannot read "));
    }
}
