//! What a build will write, from what is missing and what the last build of its profile came to: pure.

use serde::{Deserialize, Serialize};

use crate::engine::system::Missing;
use crate::profile::types::Compression;

/// Bytes of the unpacked tools tree for each of its .debs': the tools are always the same, and take 3.93.
const TOOLS: u64 = 4;

/// Bytes of a layer for each three of a package that is new in it.
const LAYER: u64 = 4;

/// What went into something and what it came to, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yield {
    pub from: u64,
    pub to: u64,
}

impl Yield {
    /// What so much would come to, at the same rate; at `usual` thirds where there is none.
    fn rate(self, from: u64, usual: u64) -> u64 {
        let (to, by) = if self.from == 0 { (usual, 3) } else { (self.to, self.from) };
        u64::try_from(u128::from(to) * u128::from(from) / u128::from(by)).unwrap_or(u64::MAX)
    }

    /// What it comes to when that much goes in: what is new adds to it, and what is gone is missing.
    fn of(self, from: u64) -> u64 {
        let (new, gone) = (from.saturating_sub(self.from), self.from.saturating_sub(from));
        self.to.saturating_add(new.saturating_mul(LAYER) / 3).saturating_sub(gone.saturating_mul(LAYER) / 3)
    }
}

/// What a build came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Layers, from their .debs.
    pub base: Yield,
    pub packages: Yield,
    pub kernel: u64,
    pub initrd: u64,
    /// The files layer, from the profile's own files.
    pub files: Yield,
    pub iso: u64,
    /// Packages that were made ready, from their .debs: those without and those with kernel modules.
    pub ready: Yield,
    pub modules: Yield,
    pub compression: Compression,
}

/// What there is before a build, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// .debs of the base and the packages layer.
    pub base: u64,
    pub packages: u64,
    /// The profile's own files, rendered.
    pub files: u64,
    /// .debs of the image and of the tools that are not in the store and will be.
    pub download: u64,
    /// .debs that have to be made ready, and those of kernels among them.
    pub raw: u64,
    pub raw_kernels: u64,
    /// .debs of tools that are not unpacked.
    pub packed_tools: u64,
    pub missing: Missing,
    pub compression: Compression,
    /// Another engine builds, of which nothing is known.
    pub alien: bool,
    pub last: Option<Sizes>,
    pub scratch_on_disk: bool,
}

/// What the build will write, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    pub store: u64,
    pub iso: u64,
    /// These are upper bounds.
    pub bound: bool,
}

impl Facts {
    pub fn estimate(&self) -> Estimate {
        let last = self.last.filter(|last| last.compression == self.compression && !self.alien);
        let (made, iso) = last.map_or_else(|| self.bound(), |last| self.scaled(&last));
        let makes_system = self.missing.base || self.missing.packages || self.missing.boot;
        // An unpacked system takes 2.6 times its packages, and the initrd in the making its share.
        let scratch = if self.scratch_on_disk && makes_system { (self.base + self.packages) * 4 } else { 0 };
        Estimate {
            store: sum([self.download, made, scratch]),
            iso,
            bound: last.is_none() || scratch > 0 || self.missing.unsure,
        }
    }

    /// Before a first build. An image has 1.6 times its packages' bytes, packages that were made ready 1.2 to 1.5 times.
    fn bound(&self) -> (u64, u64) {
        let iso = (self.base + self.packages) * 2 + self.files;
        (self.raw * 2 + self.packed_tools * TOOLS + iso, iso)
    }

    fn scaled(&self, last: &Sizes) -> (u64, u64) {
        let (base, packages) = (last.base.of(self.base), last.packages.of(self.packages));
        let (new, gone) = (self.files.saturating_sub(last.files.from), last.files.from.saturating_sub(self.files));
        let files = last.files.to.saturating_add(new).saturating_sub(gone);
        let missing = self.missing;
        // The kernel is the base's; another initrd leaves it as it is.
        let parts = [
            (missing.base, base),
            (missing.base, last.kernel),
            (missing.packages, packages),
            (missing.boot, last.initrd),
            (true, files),
        ];
        let layers = parts.iter().filter(|(made, _)| *made).map(|(_, bytes)| *bytes);
        let known = sum([last.base.to, last.packages.to, last.kernel, last.initrd, last.files.to]);
        let around = last.iso.saturating_sub(known);
        let ready = last.ready.rate(self.raw.saturating_sub(self.raw_kernels), 4);
        let kernels = last.modules.rate(self.raw_kernels, 4);
        let made = sum([ready, kernels, self.packed_tools * TOOLS].into_iter().chain(layers));
        (made, sum([base, packages, last.kernel, last.initrd, files, around]))
    }
}

/// A record may hold any numbers.
fn sum(bytes: impl IntoIterator<Item = u64>) -> u64 {
    bytes.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Facts = Facts {
        base: 182,
        packages: 2,
        files: 1,
        download: 238,
        raw: 184,
        raw_kernels: 104,
        packed_tools: 54,
        missing: Missing::ALL,
        compression: Compression::Zstd,
        alien: false,
        last: None,
        scratch_on_disk: false,
    };
    /// edge-iot, measured in MB.
    const LAST: Sizes = Sizes {
        base: Yield { from: 182, to: 204 },
        packages: Yield { from: 2, to: 4 },
        kernel: 12,
        initrd: 61,
        files: Yield { from: 1, to: 1 },
        iso: 287,
        ready: Yield { from: 80, to: 116 },
        modules: Yield { from: 104, to: 131 },
        compression: Compression::Zstd,
    };

    #[test]
    fn a_first_build_has_an_upper_bound() {
        let estimate = FIRST.estimate();
        assert!(estimate.bound && estimate.iso >= LAST.iso, "{estimate:?}");
        assert!(estimate.store >= 238 + LAST.ready.to + LAST.modules.to + 212 + LAST.iso, "{estimate:?}");
        assert!(Facts { scratch_on_disk: true, ..FIRST }.estimate().store >= estimate.store + 478);
    }

    #[test]
    fn after_a_build_the_next_is_foreseen_from_it() {
        let again = Facts { last: Some(LAST), ..FIRST };
        let whole = Estimate { store: 238 + 247 + 216 + 204 + 4 + 73 + 1, iso: 287, bound: false };
        assert_eq!(again.estimate(), whole);
        let edit = Facts {
            download: 0,
            raw: 0,
            raw_kernels: 0,
            packed_tools: 0,
            missing: Missing::default(),
            files: 101,
            ..again
        };
        assert_eq!(edit.estimate(), Estimate { store: 101, iso: 387, bound: false });
        let package = Facts {
            packages: 302,
            raw: 300,
            raw_kernels: 0,
            missing: Missing { packages: true, ..Missing::default() },
            ..edit
        };
        assert_eq!(package.estimate(), Estimate { store: 435 + 404 + 101, iso: 787, bound: false });
        assert!(Facts { compression: Compression::Fast, ..again }.estimate().bound);
        assert!(Facts { alien: true, ..again }.estimate().bound);
        // A package may turn out to leave the initrd as it is.
        let unsure = Missing { packages: true, boot: true, unsure: true, ..Missing::default() };
        let unsure = Facts { missing: unsure, ..package }.estimate();
        assert_eq!(unsure, Estimate { store: 435 + 404 + 61 + 101, iso: 787, bound: true });
        // A layer may be without packages and still hold something.
        let bare = Sizes { packages: Yield { from: 0, to: 4 }, ..LAST };
        assert_eq!(Facts { last: Some(bare), packages: 3, ..edit }.estimate().iso, 391);
        assert!(Facts { scratch_on_disk: true, ..package }.estimate().bound);
        // No profile is without packages, but a record may say anything.
        let odd = Sizes { base: Yield { from: 0, to: u64::MAX }, ..LAST };
        assert_eq!(Facts { last: Some(odd), base: 0, ..edit }.estimate().iso, u64::MAX);
    }
}
