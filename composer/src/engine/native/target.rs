//! The root that is being built, made ready for maintainer scripts and put back in order after them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Kind;
use crate::engine::job::SystemJob;
use crate::error::{IoContext, Result};
use crate::workshop::{Run, clock, namespaces};

/// A folder of the engine's own in a target, for as long as that is entered.
pub const OURS: &str = "run/borg-compose";

/// Refuses to start services while packages are configured (Debian Policy 9.3.3.2, invoke-rc.d(8)).
const POLICY_RC_D: &str = "#!/bin/sh\nexit 101\n";

/// A root with /proc, /dev and the policy that nothing starts.
#[derive(Debug)]
pub struct Target {
    pub root: PathBuf,
    epoch: u64,
    log: PathBuf,
}

impl Target {
    pub fn enter(root: &Path, job: &SystemJob) -> Result<Self> {
        let target = Target { root: root.to_owned(), epoch: job.epoch, log: job.log.clone() };
        namespaces::devices(root)?;
        namespaces::proc(&root.join("proc"))?;
        for name in ["run", "tmp"] {
            let path = root.join(name);
            fs::create_dir_all(&path).at("create", &path)?;
            namespaces::tmpfs(&path, "mode=1777")?;
        }
        clock::bring(root)?;
        let policy = target.policy();
        fs::create_dir_all(root.join("usr/sbin")).at("create", root)?;
        fs::write(&policy, POLICY_RC_D).at("write", &policy)?;
        fs::set_permissions(&policy, std::os::unix::fs::PermissionsExt::from_mode(0o755)).at("write", &policy)?;
        Ok(target)
    }

    /// Takes away what `enter` brought.
    pub fn leave(self) -> Result<()> {
        for name in ["tmp", "run", "proc", "dev"] {
            namespaces::detach(&self.root.join(name))?;
        }
        let policy = self.policy();
        fs::remove_file(&policy).at("remove", &policy)
    }

    fn policy(&self) -> PathBuf {
        self.root.join("usr/sbin/policy-rc.d")
    }

    /// Puts a do-nothing program over `path` for as long as the target is entered.
    pub fn mask(&self, path: &str) -> Result<Option<Mask>> {
        let place = self.root.join(path);
        if !place.exists() {
            return Ok(None);
        }
        let stub = Path::new("/run/stub");
        fs::write(stub, "#!/bin/sh\nexit 0\n").at("write", stub)?;
        fs::set_permissions(stub, std::os::unix::fs::PermissionsExt::from_mode(0o755)).at("write", stub)?;
        namespaces::bind(stub, &place, true)?;
        Ok(Some(Mask::new(place)))
    }

    /// A tool of the tools tree that acts on the target.
    pub fn tool(&self, program: &str) -> Run {
        Run::new(program).env("SOURCE_DATE_EPOCH", self.epoch.to_string()).log(&self.log).failing_as(Kind::Package)
    }

    /// Runs a program of the target's own, in the target.
    pub fn run(&self, argv: &[String]) -> Result<()> {
        self.program(argv).run()
    }

    /// A program of the target's own, to be run in the target.
    pub fn program(&self, argv: &[String]) -> Run {
        self.tool("chroot").arg(&self.root).args(argv)
    }
}

/// A masked program; [`Mask::lift`] shows it again.
#[derive(Debug)]
pub struct Mask(PathBuf);

impl Mask {
    /// Something that was bound over `place`.
    pub fn new(place: PathBuf) -> Self {
        Mask(place)
    }

    pub fn lift(self) -> Result<()> {
        namespaces::detach(&self.0)
    }
}
