//! Chooses the target's packages and the tools, and says which layer or group each belongs to.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::texts::{Texts, kept_text};
use super::{PinError, Request, Update};
use crate::Error;
use crate::archive::deb;
use crate::archive::index::Package;
use crate::archive::solve::{Chosen, Id, Universe, solve};
use crate::archive::tools::{self, GROUPS, TOOLS};
use crate::lock::types::{LockedPackage, PackageLayer};
use crate::profile::types::Suite;
use crate::spec::types::{ImageSpec, Origin, Wanted};
use crate::store::Store;

/// What an earlier lock had and should stay, by name.
pub struct Prior<'l>(HashMap<&'l str, &'l LockedPackage>);

impl<'l> Prior<'l> {
    pub fn new(locked: Option<&'l [LockedPackage]>, update: &Update) -> Self {
        let stays = |p: &&LockedPackage| match update {
            Update::Keep => true,
            Update::All => false,
            Update::Only(names) => !names.contains(&p.name),
        };
        Prior(locked.unwrap_or_default().iter().filter(stays).map(|p| (p.name.as_str(), p)).collect())
    }

    fn is(&self, package: &Package<'_>) -> bool {
        let same = |p: &&LockedPackage| p.version == package.version && package.digest() == Some(p.sha256);
        self.0.get(package.name).is_some_and(same)
    }

    /// What no index has any more but the store still holds: archive names and index texts.
    pub fn kept(&self, texts: &Texts<'_>, store: &Store) -> Vec<(&'l str, String)> {
        let mut gone = self.0.clone();
        if gone.is_empty() {
            return Vec::new();
        }
        for package in texts.packages.iter().filter(|p| self.is(p)) {
            gone.remove(package.name);
        }
        let mut gone: Vec<_> = gone.into_values().filter(|p| p.archive != super::RUNTIME).collect();
        gone.sort_by_key(|p| &p.name);
        let held = gone.into_iter().filter(|p| store.contains(&p.sha256));
        let read = |p: &'l LockedPackage| {
            let control = deb::control(&store.object(&p.sha256)).ok()?;
            Some((p.archive.as_str(), kept_text(p, &control)))
        };
        held.filter_map(read).collect()
    }

    fn favored(&self, universe: &Universe<'_>) -> HashMap<&'l str, Id> {
        let same = |name: &str| {
            let mut candidates = universe.candidates(name).iter().copied();
            candidates.find(|id| universe.package(*id).is_some_and(|p| self.is(p)))
        };
        self.0.keys().filter_map(|name| Some((*name, same(name)?))).collect()
    }
}

/// The target's packages, sorted by name.
pub fn packages(
    mut texts: Texts<'_>,
    request: &Request<'_>,
    prior: &Prior<'_>,
) -> Result<Vec<LockedPackage>, PinError> {
    let universe = Universe::new(std::mem::take(&mut texts.packages), texts.runtime());
    let official: BTreeSet<&str> = official(request.spec).collect();
    let essential: BTreeSet<&str> = essential(&universe, &texts, &official);
    let wishes = wishes(request, &essential, &universe);
    let ids = solve(&universe, &wishes, &prior.favored(&universe))?;

    let chosen = Chosen::new(&universe, &ids);
    let bottom = chosen.closure(essential.iter().copied());
    let base = chosen.closure(request.spec.base_packages.iter().map(|w| w.name.as_str()).chain(["apt"]));
    let layer = |id: &Id, package: &Package<'_>| match () {
        () if Some(package.archive) == texts.runtime() => PackageLayer::Packages,
        () if bottom.contains(id) => PackageLayer::Essential,
        () if base.contains(id) => PackageLayer::Base,
        () => PackageLayer::Packages,
    };
    lock_all(&universe, &ids, &texts, |id, package| (Some(layer(id, package)), None)).map_err(PinError::Other)
}

/// The tools, sorted by name.
pub fn tools(mut texts: Texts<'_>, prior: &Prior<'_>) -> Result<Vec<LockedPackage>, PinError> {
    let universe = Universe::new(std::mem::take(&mut texts.packages), None);
    let wishes: Vec<Wanted> =
        TOOLS.iter().map(|name| Wanted { name: (*name).to_owned(), by: Origin::Composer }).collect();
    let ids = solve(&universe, &wishes, &prior.favored(&universe)).map_err(|e| {
        Error::internal("the composer's own tools cannot be resolved").detail(Error::from(e).to_string())
    })?;
    let chosen = Chosen::new(&universe, &ids);
    let closures: Vec<(&str, HashSet<Id>)> =
        GROUPS.iter().map(|group| (group.name, chosen.closure(group.roots().iter().copied()))).collect();
    let group = |id: &Id| closures.iter().find(|(_, ids)| ids.contains(id)).map(|(name, _)| (*name).to_owned());
    lock_all(&universe, &ids, &texts, |id, _| (None, group(id))).map_err(PinError::Other)
}

/// What the runtime's programs are linked against, sorted by name.
pub fn sysroot(mut texts: Texts<'_>, suite: Suite, prior: &Prior<'_>) -> Result<Vec<LockedPackage>, PinError> {
    let universe = Universe::new(std::mem::take(&mut texts.packages), None);
    let names = tools::sysroot(suite);
    let wish = |name: &&str| Wanted { name: (*name).to_owned(), by: Origin::Composer };
    let mut ids = solve(&universe, &names.iter().map(wish).collect::<Vec<_>>(), &prior.favored(&universe))?;
    // What these depend on is for compilers of C.
    ids.retain(|id| universe.package(*id).is_some_and(|p| names.contains(&p.name)));
    lock_all(&universe, &ids, &texts, |_, _| (None, None)).map_err(PinError::Other)
}

/// The archives that say what is essential: an extra repository does not.
pub fn official(spec: &ImageSpec) -> impl Iterator<Item = &str> {
    use crate::spec::types::ArchiveKind::{Debian, Security};
    spec.archives.iter().filter(|a| matches!(a.kind, Debian | Security)).map(|a| a.name.as_str())
}

fn essential<'u>(universe: &Universe<'u>, texts: &Texts<'_>, official: &BTreeSet<&str>) -> BTreeSet<&'u str> {
    let packages = universe.packages().iter();
    let essential = packages.filter(|p| p.essential || p.priority == "required");
    essential.filter(|p| official.contains(texts.archive(p.archive))).map(|p| p.name).collect()
}

fn wishes(request: &Request<'_>, essential: &BTreeSet<&str>, universe: &Universe<'_>) -> Vec<Wanted> {
    let composer = |name: &str| Wanted { name: name.to_owned(), by: Origin::Composer };
    // An image of Debian is one that apt can update, as debootstrap has it.
    let mut wishes: Vec<Wanted> = essential.iter().copied().chain(["apt"]).map(composer).collect();
    // Bookworm's init-system-helpers prefers usrmerge, which converts a system and brings perl; ours is merged from
    // the start, as debootstrap's.
    let merged = Some("usr-is-merged").filter(|name| !universe.candidates(name).is_empty());
    wishes.extend(merged.filter(|_| request.spec.suite == Suite::Bookworm).map(composer));
    wishes.extend(request.spec.base_packages.iter().chain(&request.spec.packages).cloned());
    for deb in request.runtime {
        let service = request.spec.services.iter().find(|s| s.runtime.iter().any(|r| r == deb.name()));
        let by = service.map_or(Origin::Composer, |s| Origin::Service(s.name.clone(), None));
        wishes.push(Wanted { name: deb.name().to_owned(), by });
    }
    let mut seen = HashSet::new();
    wishes.retain(|wish| seen.insert(wish.name.clone()));
    wishes
}

fn lock_all(
    universe: &Universe<'_>,
    ids: &[Id],
    texts: &Texts<'_>,
    place: impl Fn(&Id, &Package<'_>) -> (Option<PackageLayer>, Option<String>),
) -> Result<Vec<LockedPackage>, Error> {
    let packages = ids.iter().filter_map(|id| Some((id, universe.package(*id)?)));
    let locked = packages.map(|(id, package)| {
        let (layer, group) = place(id, package);
        Ok(LockedPackage {
            name: package.name.to_owned(),
            version: package.version.to_owned(),
            architecture: package.architecture.to_owned(),
            layer,
            group,
            archive: texts.archive(package.archive).to_owned(),
            filename: package.filename.to_owned(),
            size: package.size,
            sha256: package.digest().ok_or_else(|| Error::internal(format!("no hash for {}", package.name)))?,
        })
    });
    locked.collect()
}
