//! The manifest: what is inside an image, by digest.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::engine::system::System;
use crate::image::Medium;
use crate::lock::types::{LayerOutput, Lock, Made, Output, Outputs};
use crate::spec::ImageSpec;
use crate::spec::types::Port;

/// What a person, an SBOM and the upgrader read. It lies beside the ISO as `<tag>.manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub profile: String,
    /// The digest of the `ImageSpec` that was built.
    pub spec: Digest,
    pub suite: String,
    pub architecture: String,
    /// Seconds since 1970.
    pub epoch: u64,
    pub iso: Output,
    pub kernel: Artefact,
    pub initrd: Artefact,
    /// Bottom first.
    pub layers: Vec<LayerOutput>,
    /// What the image listens on, by service.
    pub ports: Vec<ServicePorts>,
    pub packages: Vec<Package>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    pub version: String,
    pub sha256: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePorts {
    pub service: String,
    pub ports: Vec<Port>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub architecture: String,
    pub sha256: Digest,
}

/// The lock's outputs for a finished medium.
pub fn outputs(system: &System, medium: &Medium) -> Outputs {
    let [base, packages, boot] = system.made;
    let layer = |name: &str, sha256, size, made: Option<Made>| LayerOutput {
        name: name.into(),
        sha256,
        size,
        key: made.map(|made| made.key),
        record: made.map(|made| made.record),
    };
    Outputs {
        iso: Output { sha256: medium.iso, size: medium.size },
        kernel: system.boot.kernel,
        initrd: system.boot.initrd,
        boot: Some(boot),
        layers: vec![
            layer("base", system.base.digest, system.base.size, Some(base)),
            layer("packages", system.packages.digest, system.packages.size, Some(packages)),
            layer("files", medium.files.digest, medium.files.size, None),
        ],
    }
}

/// Which outputs differ, in words.
pub fn differences(expected: &Outputs, found: &Outputs) -> Vec<String> {
    let mut differing = Vec::new();
    let mut compare = |what: &str, a: &Digest, b: &Digest| {
        if a != b {
            differing.push(format!("{what}: the lock names {a}, the build made {b}"));
        }
    };
    for (a, b) in expected.layers.iter().zip(&found.layers) {
        compare(&format!("layer {}", a.name), &a.sha256, &b.sha256);
    }
    compare("kernel", &expected.kernel, &found.kernel);
    compare("initrd", &expected.initrd, &found.initrd);
    compare("iso", &expected.iso.sha256, &found.iso.sha256);
    differing
}

impl Manifest {
    /// `version` is the kernel's, as `uname -r` prints it.
    pub fn new(spec: &ImageSpec, lock: &Lock, version: &str, outputs: &Outputs) -> Self {
        let artefact = |sha256| Artefact { version: version.to_owned(), sha256 };
        let package = |p: &crate::lock::types::LockedPackage| Package {
            name: p.name.clone(),
            version: p.version.clone(),
            architecture: p.architecture.clone(),
            sha256: p.sha256,
        };
        Manifest {
            profile: spec.profile.clone(),
            spec: spec.digest(),
            suite: format!("{:?}", spec.suite).to_lowercase(),
            architecture: format!("{:?}", spec.arch).to_lowercase(),
            epoch: lock.epoch,
            iso: outputs.iso.clone(),
            kernel: artefact(outputs.kernel),
            initrd: artefact(outputs.initrd),
            layers: outputs.layers.clone(),
            ports: spec
                .services
                .iter()
                .map(|s| ServicePorts { service: s.name.clone(), ports: s.ports.clone() })
                .collect(),
            packages: lock.packages.iter().map(package).collect(),
        }
    }
}
