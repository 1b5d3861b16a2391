//! The worker's view of the file system: a private root made of the tools tree, the store and a scratch space.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::libc::dev_t;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{chdir, pivot_root, sethostname};
use serde::{Deserialize, Serialize};

use crate::error::{IoContext, Result};
use crate::workshop::rights::Ground;
use crate::workshop::rootless;
use crate::{Error, workshop};

/// What a worker sees. Paths are the host's until [`build_root`] has run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    /// The unpacked tools tree, bound read-only as the root.
    pub tools: PathBuf,
    /// The store, bound at `/store`.
    pub store: PathBuf,
    /// An empty folder on the host to mount the new root on.
    pub mountpoint: PathBuf,
    /// The scratch space: bytes of tmpfs, or none for a folder of the host.
    pub scratch: Scratch,
    /// Further folders or files: host path, path inside, writable.
    pub binds: Vec<(PathBuf, PathBuf, bool)>,
    /// Keep the host's network.
    pub network: bool,
    /// Have tools see another time of day.
    pub other_clock: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Scratch {
    /// A tmpfs of at most this many bytes.
    Memory(u64),
    /// A folder on the host's disk.
    Disk(PathBuf),
}

/// Leaves the host's namespaces; children, the first of which is PID 1, live in the new ones.
pub fn leave(network: bool) -> Result<()> {
    let mut flags =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if !network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags)
        .map_err(|e| Error::host("cannot make namespaces for the build").because(&e).help(Ground::here().way_out()))
}

/// Makes the private root and enters it. Nothing of this is seen outside the worker's mount namespace.
pub fn build_root(setup: &Setup) -> Result<()> {
    attach(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    let root = setup.mountpoint.as_path();
    // The tree is bound read-only, so mount points that it lacks must come from a layer above it.
    tmpfs(root, "mode=0755,size=64m")?;
    for name in ["usr", "etc", "opt"] {
        let from = setup.tools.join(name);
        if from.is_dir() {
            bind(&from, &inside(root, name)?, false)?;
        }
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        symlink(format!("usr/{name}"), root.join(name)).at("link", &root.join(name))?;
    }
    fs::create_dir_all(root.join("var/lib")).at("create", root)?;
    devices(root)?;
    proc(&root.join("proc"))?;
    tmpfs(&inside(root, "tmp")?, "mode=1777")?;
    tmpfs(&inside(root, "run")?, "mode=0755")?;
    bind(&setup.store, &inside(root, workshop::STORE)?, true)?;
    match &setup.scratch {
        Scratch::Memory(bytes) => in_large_pages(&inside(root, workshop::WORK)?, &format!("mode=0755,size={bytes}"))?,
        Scratch::Disk(folder) => bind(folder, &inside(root, workshop::WORK)?, true)?,
    }
    for (from, to, writable) in &setup.binds {
        bind_any(from, &root.join(to.strip_prefix("/").unwrap_or(to)), *writable)?;
    }
    fs::create_dir_all(root.join("root")).at("create", root)?;
    enter(root)?;
    // A fixed host name: maintainer scripts copy it into files.
    sethostname("localhost").map_err(|e| Error::host("cannot set the worker's host name").because(&e))
}

/// Mounts one of each kind where nobody else sees it, to learn whether that is allowed.
pub fn try_mounts() -> Result<()> {
    attach(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    let at = Path::new("/tmp");
    tmpfs(at, "size=64k")?;
    proc(&at.join("proc"))?;
    let lower = at.join("lower");
    fs::create_dir_all(&lower).at("create", &lower)?;
    overlay(&[lower], &at.join("upper"), &at.join("work"), &at.join("merged"))
}

fn inside(root: &Path, name: &str) -> Result<PathBuf> {
    let path = root.join(name.trim_start_matches('/'));
    fs::create_dir_all(&path).at("create", &path)?;
    Ok(path)
}

fn enter(root: &Path) -> Result<()> {
    let old = inside(root, ".old")?;
    let failed = |e: nix::Error| Error::host(format!("cannot enter {}", root.display())).because(&e);
    pivot_root(root, &old).map_err(failed)?;
    chdir("/").map_err(failed)?;
    umount2("/.old", MntFlags::MNT_DETACH).map_err(failed)?;
    fs::remove_dir("/.old").at("remove", Path::new("/.old"))
}

/// The device nodes that maintainer scripts use, with their numbers (Linux's devices.txt).
const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Makes them in `/dev` of a root.
pub fn devices(root: &Path) -> Result<()> {
    let dev = inside(root, "dev")?;
    tmpfs(&dev, "mode=0755,size=1m")?;
    for (name, major, minor) in DEVICES {
        device(&dev.join(name), name, makedev(major, minor))?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, dev.join(name)).at("link", &dev.join(name))?;
    }
    tmpfs(&inside(&dev, "shm")?, "mode=1777")
}

/// A node of our own: a script that changes the mode of one that is bound would change the host's. Where nodes cannot be made,
/// as in a user namespace, the host's do not belong to root either.
fn device(at: &Path, name: &str, number: dev_t) -> Result<()> {
    match mknod(at, SFlag::S_IFCHR, Mode::empty(), number) {
        // Whatever the umask.
        Ok(()) => fs::set_permissions(at, fs::Permissions::from_mode(0o666)).at("create", at),
        Err(_) => bind_any(&Path::new("/dev").join(name), at, true),
    }
}

/// Binds a file or a folder, making the place for it.
pub fn bind_any(from: &Path, to: &Path, writable: bool) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to).at("create", to)?;
    } else if !to.exists() {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).at("create", parent)?;
        }
        fs::File::create(to).at("create", to)?;
    }
    bind(from, to, writable)
}

pub fn bind(from: &Path, to: &Path, writable: bool) -> Result<()> {
    attach(Some(from), to, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    if writable {
        return Ok(());
    }
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    attach(None, to, None, flags | locked_flags(to)?, None)
}

/// What a mount forbids that comes from outside of this user namespace: a remount may not allow it again.
fn locked_flags(at: &Path) -> Result<MsFlags> {
    let set = statvfs(at).map_err(|e| Error::host(format!("cannot look at {}", at.display())).because(&e))?.flags();
    Ok([
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
    ]
    .into_iter()
    .filter_map(|(found, keep)| set.contains(found).then_some(keep))
    .collect())
}

pub fn tmpfs(at: &Path, options: &str) -> Result<()> {
    attach(Some(Path::new("tmpfs")), at, Some("tmpfs"), MsFlags::MS_NOSUID, Some(options))
}

/// A tmpfs whose larger files take pages of up to 2 MiB, where the kernel has them: faster to fill, and to free.
fn in_large_pages(at: &Path, options: &str) -> Result<()> {
    tmpfs(at, &format!("{options},huge=within_size")).or_else(|_| tmpfs(at, options))
}

/// Mounts an overlay; `lower` is top first.
pub fn overlay(lower: &[PathBuf], upper: &Path, work: &Path, at: &Path) -> Result<()> {
    for folder in [upper, work, at] {
        fs::create_dir_all(folder).at("create", folder)?;
    }
    let lower: Vec<String> = lower.iter().map(|p| p.display().to_string()).collect();
    // In a user namespace there are no trusted attributes; and `redirect_dir=off` can mean `follow` there, which is refused.
    let marks = if rootless::inside() { "redirect_dir=nofollow,userxattr" } else { "redirect_dir=off" };
    // What live-boot's overlay cannot follow must not be written into a layer.
    let options = format!(
        "lowerdir={},upperdir={},workdir={},{marks},metacopy=off,index=off",
        lower.join(":"),
        upper.display(),
        work.display()
    );
    attach(Some(Path::new("overlay")), at, Some("overlay"), MsFlags::empty(), Some(&options))
}

pub fn detach(at: &Path) -> Result<()> {
    umount2(at, MntFlags::MNT_DETACH)
        .map_err(|e| Error::internal(format!("cannot unmount {}", at.display())).because(&e))
}

/// Mounts /proc with what steers the host's kernel read-only: maintainer scripts run here.
pub fn proc(at: &Path) -> Result<()> {
    fs::create_dir_all(at).at("create", at)?;
    attach(
        Some(Path::new("proc")),
        at,
        Some("proc"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        None,
    )?;
    for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
        let path = at.join(name);
        if path.exists() {
            bind(&path, &path, false)?;
        }
    }
    Ok(())
}

fn attach(from: Option<&Path>, at: &Path, kind: Option<&str>, flags: MsFlags, options: Option<&str>) -> Result<()> {
    mount(from, at, kind, flags, options).map_err(|e| {
        let forbidden = matches!(e, nix::Error::EPERM | nix::Error::EACCES);
        let doctor = || "`borg-compose doctor` says what this host or container lacks".to_owned();
        Error::host(format!("cannot mount {} on {}", kind.unwrap_or("a folder"), at.display()))
            .because(&e)
            .help(if forbidden { Ground::here().way_out() } else { doctor() })
    })
}
