//! What the templates of the live-build side see.

use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use super::{accounts, locale, parts, sysusers};
use crate::error::{Error, Result};
use crate::lock::types::Lock;
use crate::profile::types::Compression;
use crate::spec::ImageSpec;
use crate::spec::types::{ArchiveKind, ArchiveSpec, UserSpec};
use crate::tree::{Content, Tree};

/// A paragraph of apt's deb822 sources.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The file's name in `/etc/apt/sources.list.d`, without its ending.
    pub file: String,
    pub uri: String,
    pub suites: Vec<String>,
    pub components: Vec<String>,
    pub signed_by: String,
}

pub struct Context {
    pub value: Value,
    /// Extra repositories with their keys' file ending and bytes.
    pub extra: Vec<(Source, &'static str, Vec<u8>)>,
}

impl Context {
    /// `files` are the image's, whose owners and modes a hook restores after live-build has copied them.
    pub fn new(spec: &ImageSpec, lock: Option<&Lock>, files: &Tree) -> Result<Self> {
        let debian = first(spec, |kind| *kind == ArchiveKind::Debian)
            .ok_or_else(|| Error::input("the image has no Debian archive to be built from"))?;
        let (compression, flavour) =
            (squashfs(spec.image.compression), spec.kernel.package.strip_prefix("linux-image-"));
        let declared = files.filtered(|path| parts::is_from_catalogue(path, spec));
        let value = context! {
            spec => Serde(spec),
            debian => Serde(debian),
            security => Serde(first(spec, |kind| *kind == ArchiveKind::Security)),
            updates => spec.archives.iter().any(|a| a.kind == ArchiveKind::Debian && a.suite.ends_with("-updates")),
            flavour => Serde(flavour.unwrap_or(&spec.kernel.package)),
            squashfs => compression,
            locale_command => locale::locale_command(spec),
            sysusers_command => sysusers::command(&declared),
            locked => Serde(lock.map(|lock| &lock.packages)),
            packages => Serde(packages(spec)),
            nodes => nodes(files),
            users => users(spec),
            installer => installer(spec, debian),
            late_command => late_command(spec, &declared)?,
        };
        Ok(Context { value, extra: extra(spec)? })
    }
}

/// The image's archives as apt sources, one paragraph an address, each with its own key.
pub fn sources(spec: &ImageSpec) -> Result<Vec<Source>> {
    let mut sources: Vec<Source> = Vec::new();
    for archive in spec.archives.iter().filter(|a| !matches!(a.kind, ArchiveKind::Extra { .. })) {
        match sources.iter_mut().find(|s| s.uri == archive.uri && s.components == archive.components) {
            Some(source) => source.suites.push(archive.suite.clone()),
            None => sources.push(source("debian", archive, "/usr/share/keyrings/debian-archive-keyring.gpg".into())),
        }
    }
    sources.extend(extra(spec)?.into_iter().map(|(source, _, _)| source));
    Ok(sources)
}

fn source(file: &str, archive: &ArchiveSpec, signed_by: String) -> Source {
    Source {
        file: file.into(),
        uri: archive.uri.clone(),
        suites: vec![archive.suite.clone()],
        components: archive.components.clone(),
        signed_by,
    }
}

fn extra(spec: &ImageSpec) -> Result<Vec<(Source, &'static str, Vec<u8>)>> {
    let mut extra = Vec::new();
    for archive in &spec.archives {
        if let ArchiveKind::Extra { key } = &archive.kind {
            let (extension, bytes) = key_bytes(&archive.name, key)?;
            let keyring = format!("/etc/apt/keyrings/{}.{extension}", archive.name);
            extra.push((source(&archive.name, archive, keyring), extension, bytes));
        }
    }
    Ok(extra)
}

/// A repository's key as apt takes it: armoured in `.asc`, binary in `.gpg`.
pub fn key_bytes(name: &str, key: &str) -> Result<(&'static str, Vec<u8>)> {
    if key.contains("-----BEGIN PGP") {
        return Ok(("asc", key.as_bytes().to_vec()));
    }
    let bytes = hex::decode(key.trim())
        .map_err(|e| Error::input(format!("the key of the repository `{name}` is not an OpenPGP key")).because(&e))?;
    Ok(("gpg", bytes))
}

fn first(spec: &ImageSpec, wanted: impl Fn(&ArchiveKind) -> bool) -> Option<&ArchiveSpec> {
    spec.archives.iter().find(|archive| wanted(&archive.kind))
}

fn squashfs(compression: Compression) -> Value {
    match compression {
        Compression::Zstd => context! { type => "zstd", level => 15 },
        Compression::Fast => context! { type => "zstd", level => 3 },
        Compression::Xz => context! { type => "xz", level => "" },
    }
}

/// All wanted packages but the kernel, which live-build installs by its flavour.
fn packages(spec: &ImageSpec) -> Vec<&str> {
    let mut names: Vec<&str> = spec.base_packages.iter().chain(&spec.packages).map(|w| w.name.as_str()).collect();
    names.retain(|name| *name != spec.kernel.package);
    names.sort_unstable();
    names.dedup();
    names
}

fn nodes(files: &Tree) -> Vec<Value> {
    let one = |(path, node): (&str, &crate::tree::Node)| match node.content {
        Content::Symlink(_) => None,
        _ => Some(context! {
            path => format!("/{path}"),
            mode => format!("{:04o}", node.mode),
            owner => format!("{}:{}", node.owner, node.group),
        }),
    };
    files.iter().filter_map(one).collect()
}

fn users(spec: &ImageSpec) -> Vec<Value> {
    let one = |user: &UserSpec| {
        context! {
            name => Serde(&user.name), uid => user.uid, shell => Serde(&user.shell),
            groups => user.groups.join(","), password => Serde(accounts::password_field(user)),
        }
    };
    spec.users.iter().map(one).collect()
}

/// What the installer's preseed needs beyond the spec: the mirror's host and folder, the packages that Debian has.
fn installer(spec: &ImageSpec, debian: &ArchiveSpec) -> Value {
    let (protocol, rest) = debian.uri.split_once("://").unwrap_or(("http", &debian.uri));
    let (host, folder) = rest.split_once('/').unwrap_or((rest, ""));
    let ours = spec.runtime();
    let packages: Vec<&str> =
        spec.packages.iter().map(|w| w.name.as_str()).filter(|name| !ours.contains(name)).collect();
    let non_free = debian.components.iter().any(|c| c == "non-free-firmware");
    context! { protocol => Serde(protocol), host => Serde(host), folder => format!("/{}", folder.trim_end_matches('/')), packages => packages.join(" "), non_free }
}

/// The installer's last step: the users with their numbers and keys, as one shell line.
fn late_command(spec: &ImageSpec, declared: &Tree) -> Result<String> {
    let mut commands = Vec::new();
    // The groups that services declare, which a user may be in; nobody else needs them before the services are there.
    if let Some(argv) = sysusers::inline_command(declared).filter(|_| !spec.users.is_empty()) {
        let argv: Vec<&str> = std::iter::once("in-target").chain(argv.iter().map(String::as_str)).collect();
        commands.push(line(&argv)?);
    }
    // All groups first: one user may be in another's.
    for user in &spec.users {
        commands.push(line(&["in-target", "groupadd", "--gid", &user.uid.to_string(), "--", &user.name])?);
    }
    for user in &spec.users {
        commands.extend(install_user(user)?);
    }
    Ok(commands.join("; "))
}

fn install_user(user: &UserSpec) -> Result<Vec<String>> {
    let (name, uid, groups) = (user.name.as_str(), user.uid.to_string(), user.groups.join(","));
    let (folder, file) = (format!("/home/{name}/.ssh"), format!("/home/{name}/.ssh/authorized_keys"));
    let useradd = ["in-target", "useradd", "--create-home", "--uid", &uid, "--gid", &uid, "--shell", &user.shell];
    let rest = ["--groups", &groups, "--password", accounts::password_field(user), "--", name];
    let own = ["in-target", "install", "-o", name, "-g", name];
    let mut commands = vec![line(&[useradd.as_slice(), rest.as_slice()].concat())?];
    if !user.ssh_keys.is_empty() {
        let keys = user.ssh_keys.iter().map(String::as_str);
        let print: Vec<&str> = ["printf", "%s\\n"].into_iter().chain(keys).collect();
        commands.push(line(&[own.as_slice(), &["-d", "-m", "0700", &folder]].concat())?);
        commands.push(line(&[own.as_slice(), &["-m", "0600", "/dev/null", &file]].concat())?);
        commands.push(format!("{} > {}", line(&print)?, line(&[&format!("/target{file}")])?));
    }
    Ok(commands)
}

fn line(argv: &[&str]) -> Result<String> {
    shlex::try_join(argv.iter().copied())
        .map_err(|e| Error::input("a user's name, shell, group, key or hash cannot be written for a shell").because(&e))
}
