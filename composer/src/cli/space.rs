//! What a build will download and write, foreseen before it writes anything.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cli::workbench::{hindrance, tools_of};
use crate::engine::ready;
use crate::error::Result;
use crate::lock::Lock;
use crate::progress::Progress;
use crate::store::Store;
use crate::workshop::{Tools, host};
use crate::{Error, engine};

/// Records of what the last build of each profile came to, by the profile's name.
const SIZES: &str = "sizes";

/// What a build came to, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Its .debs.
    pub debs: u64,
    /// The profile's own files, rendered.
    pub files: u64,
    pub iso: u64,
}

/// What there is before the build, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    debs: u64,
    files: u64,
    /// .debs of the image and of the tools that are not in the store.
    download: u64,
    /// .debs that were not made ready yet.
    raw: u64,
    /// .debs of tools that are not unpacked.
    packed_tools: u64,
    /// The outputs that the lock names are in the store.
    made: bool,
    last: Option<Sizes>,
    scratch_on_disk: bool,
}

/// What the build will write, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Estimate {
    store: u64,
    iso: u64,
}

impl Facts {
    /// After a first build the ISO is foreseen from that one. Before, these are upper bounds: an image has 1.6 times its
    /// packages' bytes, a package that was made ready 1.2, the unpacked tools 3.9 times theirs, an unpacked system 2.6.
    fn estimate(&self) -> Estimate {
        let iso = self.last.filter(|last| last.debs > 0).map_or(self.debs * 2 + self.files, |last| {
            let scaled = u128::from(last.iso) * u128::from(self.debs) / u128::from(last.debs);
            u64::try_from(scaled).unwrap_or(u64::MAX) + self.files.saturating_sub(last.files)
        });
        let layers = if self.made { 0 } else { iso };
        let scratch = if self.scratch_on_disk && !self.made { self.debs * 4 } else { 0 };
        Estimate { store: self.download + self.raw * 3 / 2 + self.packed_tools * 5 + layers + scratch, iso }
    }
}

/// What a build is about to do.
#[derive(Debug, Clone, Copy)]
pub struct Aims<'a> {
    pub profile: &'a str,
    /// Bytes of the profile's own files.
    pub files: u64,
    pub out: &'a Path,
    pub on_disk: bool,
    /// It makes other layers than those that the lock names.
    pub fast: bool,
}

/// Says what is to come, and refuses when a disk cannot hold it. A shared store may spare a build most of it, but need not.
pub fn foresee(lock: &Lock, aims: Aims<'_>, store: &Store, progress: &Progress) -> Result<()> {
    let facts = look(lock, aims, store)?;
    let estimate = facts.estimate();
    if facts.download + facts.raw > 0 {
        let text = format!(
            "up to {} to download; the store takes up to {}, the ISO {}",
            megabytes(facts.download),
            megabytes(estimate.store),
            megabytes(estimate.iso)
        );
        progress.say("plan", &text);
    }
    let places = [("the store", store.root(), estimate.store), ("the ISO", aims.out, estimate.iso)];
    let mut needs: BTreeMap<u64, (Vec<&str>, &Path, u64)> = BTreeMap::new();
    for (what, place, bytes) in places {
        // Places on one file system take from the same space.
        let need = needs.entry(device(place)).or_insert((Vec::new(), place, 0));
        need.0.push(what);
        need.2 += bytes;
    }
    needs.into_values().try_for_each(|(what, place, needed)| enough(&what.join(" and "), place, needed))
}

/// Remembers what a build came to, for the next one's estimate.
pub fn remember(profile: &str, sizes: Sizes, store: &Store) -> Result<()> {
    if store.record::<Sizes>(SIZES, profile)? == Some(sizes) {
        return Ok(());
    }
    store.put_record(SIZES, profile, &sizes)
}

fn look(lock: &Lock, aims: Aims<'_>, store: &Store) -> Result<Facts> {
    let outputs = lock.outputs.as_ref().filter(|_| !aims.fast);
    let made = outputs.is_some_and(|o| {
        let layers = o.layers.iter().map(|layer| &layer.sha256);
        layers.chain([&o.kernel, &o.initrd]).all(|object| store.contains(object))
    });
    // Packages of layers that are there are not needed.
    let packages = if made { &[][..] } else { &lock.packages };
    let tools = tools_of(lock, &["build"]);
    let unpacked = store.tree("tools", &Tools::key(&tools)).is_dir();
    let download = packages.iter().chain(tools.iter().copied()).filter(|p| !store.contains(&p.sha256));
    let mut raw = 0;
    for package in packages {
        raw += if ready::is_ready(&package.sha256, store)? { 0 } else { package.size };
    }
    Ok(Facts {
        debs: lock.deb_bytes(),
        files: aims.files,
        download: download.map(|p| p.size).sum(),
        raw,
        packed_tools: if unpacked { 0 } else { tools.iter().map(|p| p.size).sum() },
        made,
        last: store.record(SIZES, aims.profile)?,
        scratch_on_disk: aims.on_disk || hindrance(engine::scratch_bytes(lock)).is_some(),
    })
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

fn device(place: &Path) -> u64 {
    std::fs::metadata(host::nearest(place)).map_or(0, |meta| meta.dev())
}

fn enough(what: &str, place: &Path, needed: u64) -> Result<()> {
    let free = host::free_bytes(place).unwrap_or(u64::MAX);
    if free >= needed {
        return Ok(());
    }
    let message =
        format!("{} are free at {}, but {what} may need {}", megabytes(free), place.display(), megabytes(needed));
    Err(Error::host(message)
        .help("free some space, run `borg-compose clean`, or choose another place with --store or --out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Facts = Facts {
        debs: 184,
        files: 1,
        download: 238,
        raw: 184,
        packed_tools: 54,
        made: false,
        last: None,
        scratch_on_disk: false,
    };

    #[test]
    fn a_first_build_has_an_upper_bound() {
        // edge-iot, measured: 184 MB of .debs became 221 MB made ready, 212 MB of tools, and 286 MB of image.
        let estimate = FIRST.estimate();
        assert!(estimate.iso >= 286 && estimate.store >= 238 + 221 + 212 + 286, "{estimate:?}");
        assert!(Facts { scratch_on_disk: true, ..FIRST }.estimate().store >= estimate.store + 478);
    }

    #[test]
    fn after_a_build_the_next_is_foreseen_from_it() {
        let last = Some(Sizes { debs: 184, files: 1, iso: 286 });
        let built = Facts { download: 0, raw: 0, packed_tools: 0, made: true, last, ..FIRST };
        assert_eq!(built.estimate(), Estimate { store: 0, iso: 286 });
        assert_eq!(Facts { files: 101, ..built }.estimate().iso, 386);
        assert_eq!(Facts { debs: 368, ..built }.estimate().iso, 572);
    }
}
