//! Profile to `ImageSpec`: every default is decided here and nowhere else.

use std::collections::BTreeSet;

use super::base;
use super::files::Sources;
use super::services::services;
use super::types::{
    ArchiveKind, ArchiveSpec, ImageOptions, ImageSpec, KernelSpec, NetworkSpec, Origin, Password, UserSpec, Wanted,
};
use crate::Digest;
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::profile::types::{Arch, Compression, Firmware, Flavour, Keyboard, Suite, User};
use crate::profile::{Checked, Profile, size};

/// The largest ISO unless the profile says otherwise, in bytes.
const SIZE_LIMIT: u64 = 2_000_000_000;
/// The first user id for people (login.defs, UID_MIN).
const FIRST_UID: u32 = 1000;

/// Decides everything; `assets` is the digest of what the image is rendered with.
pub fn resolve(checked: &Checked, catalogue: &Catalogue, assets: Digest, sources: Sources) -> Result<ImageSpec> {
    let profile = &checked.profile;
    let suite = profile.suite.unwrap_or(Suite::Trixie);
    let arch = profile.arch.unwrap_or(Arch::Amd64);
    let firmware = profile.firmware.unwrap_or(Firmware::Common);
    let kernel = kernel(profile, arch);
    let (services, by_services) = services(checked, catalogue)?;
    let base_packages = base::packages(profile, &kernel.package, firmware, suite);
    Ok(ImageSpec {
        profile: profile.profile.clone(),
        suite,
        arch,
        hostname: profile.hostname.clone().unwrap_or_else(|| profile.profile.clone()),
        locale: profile.locale.clone().unwrap_or_else(|| "C.UTF-8".to_owned()),
        timezone: profile.timezone.clone().unwrap_or_else(|| "Etc/UTC".to_owned()),
        keyboard: profile.keyboard.clone().unwrap_or_else(|| Keyboard { layout: "us".to_owned(), variant: None }),
        network: network(profile),
        services,
        packages: packages(profile, by_services, &base_packages),
        base_packages,
        users: users(&profile.users),
        archives: archives(profile, suite, firmware, &sources)?,
        files: sources.files,
        kernel,
        firmware,
        image: image(profile)?,
        device: borg_config::Device {
            profile: profile.profile.clone(),
            offline_model: profile.offline_model.clone(),
            offline_only: profile.offline_only.unwrap_or(false),
        },
        assets,
    })
}

fn kernel(profile: &Profile, arch: Arch) -> KernelSpec {
    let written = profile.kernel.as_ref();
    let flavour = written.and_then(|kernel| kernel.flavour).unwrap_or(Flavour::Generic);
    let cmdline = written.map(|kernel| kernel.cmdline.clone()).unwrap_or_default();
    KernelSpec { flavour, package: base::kernel(flavour, arch), cmdline }
}

fn network(profile: &Profile) -> NetworkSpec {
    let written = profile.network.as_ref();
    NetworkSpec {
        dhcp: written.and_then(|network| network.dhcp).unwrap_or(true),
        addresses: written.map(|network| network.addresses.clone()).unwrap_or_default(),
        gateway: written.and_then(|network| network.gateway.clone()),
        dns: written.map(|network| network.dns.clone()).unwrap_or_default(),
        time: written.map(|network| network.time.clone()).unwrap_or_default(),
    }
}

/// What the packages layer is grown from: the profile's own wishes first, so that errors point at them.
fn packages(profile: &Profile, by_services: Vec<Wanted>, base: &[Wanted]) -> Vec<Wanted> {
    let own = |(i, name): (usize, &crate::profile::types::PackageName)| Wanted {
        name: name.0.clone(),
        by: Origin::Profile(format!("/packages/{i}")),
    };
    let mut wanted: Vec<Wanted> = profile.packages.iter().enumerate().map(own).chain(by_services).collect();
    let in_base: BTreeSet<&str> = base.iter().map(|wanted| wanted.name.as_str()).collect();
    wanted.retain(|package| !in_base.contains(package.name.as_str()));
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    wanted.dedup_by(|a, b| a.name == b.name);
    wanted
}

/// Users sorted by name; those without an id take the next free one in the order of the profile.
fn users(written: &[User]) -> Vec<UserSpec> {
    let taken: BTreeSet<u32> = written.iter().filter_map(|user| user.uid).collect();
    let mut free = (FIRST_UID..).filter(|uid| !taken.contains(uid));
    let mut users: Vec<UserSpec> = written
        .iter()
        .map(|user| UserSpec {
            name: user.name.clone(),
            uid: user.uid.or_else(|| free.next()).unwrap_or(FIRST_UID),
            groups: groups(user),
            shell: user.shell.clone().unwrap_or_else(|| "/bin/bash".to_owned()),
            ssh_keys: user.ssh_keys.clone(),
            password: match (&user.password_hash, &user.password_hash_file) {
                (Some(hash), _) => Password::Hash(hash.clone()),
                (None, Some(_)) => Password::Credential,
                (None, None) => Password::Locked,
            },
        })
        .collect();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    users
}

fn groups(user: &User) -> Vec<String> {
    let mut groups = user.groups.clone();
    if user.sudo == Some(true) {
        groups.push("sudo".to_owned());
    }
    groups.sort();
    groups.dedup();
    groups
}

fn archives(profile: &Profile, suite: Suite, firmware: Firmware, sources: &Sources) -> Result<Vec<ArchiveSpec>> {
    let name = match suite {
        Suite::Trixie => "trixie",
        Suite::Bookworm => "bookworm",
    };
    let mut components = vec!["main".to_owned()];
    if firmware != Firmware::None {
        components.push("non-free-firmware".to_owned());
    }
    let debian = |short: &str, kind: ArchiveKind, suite: String, uri: &str| ArchiveSpec {
        name: short.to_owned(),
        kind,
        suite,
        components: components.clone(),
        uri: uri.to_owned(),
    };
    let main = "http://deb.debian.org/debian";
    let mut archives = vec![
        debian("debian", ArchiveKind::Debian, name.to_owned(), main),
        debian("updates", ArchiveKind::Debian, format!("{name}-updates"), main),
        debian(
            "security",
            ArchiveKind::Security,
            format!("{name}-security"),
            "http://security.debian.org/debian-security",
        ),
    ];
    for repository in &profile.repositories {
        let key = sources.keys.get(&repository.name).cloned();
        let key =
            key.ok_or_else(|| Error::internal(format!("the key of repository `{}` was not read", repository.name)))?;
        let written = &repository.components;
        archives.push(ArchiveSpec {
            name: repository.name.clone(),
            kind: ArchiveKind::Extra { key },
            suite: repository.suite.clone(),
            components: if written.is_empty() { vec!["main".to_owned()] } else { written.clone() },
            uri: repository.uri.0.trim_end_matches('/').to_owned(),
        });
    }
    Ok(archives)
}

fn image(profile: &Profile) -> Result<ImageOptions> {
    let written = profile.image.as_ref();
    let limit = written.and_then(|image| image.size_limit.as_deref());
    let size_limit = match limit {
        Some(text) => size::parse(text).ok_or_else(|| Error::internal("an unchecked size limit"))?,
        None => SIZE_LIMIT,
    };
    Ok(ImageOptions {
        label: written.and_then(|image| image.label.clone()).unwrap_or_else(|| label(&profile.profile)),
        size_limit,
        compression: written.and_then(|image| image.compression).unwrap_or(Compression::Zstd),
    })
}

/// A volume label of ISO 9660's d-characters, at most 32.
fn label(profile: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("BORGOS_{profile}").chars().map(clean).take(32).collect()
}
