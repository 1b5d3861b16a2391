//! Secure Boot's other half: a kernel that was changed must not start.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use super::check::{self, Case, Logs};
use super::iso9660::{self, Extent, SECTOR};
use super::job::{Goal, Outcome, WatchJob};
use super::network::Network;
use super::options::{Firmware, Host, Options};
use crate::Error;
use crate::error::{IoContext, Result};
use crate::progress::Progress;
use crate::store::Store;

/// The kernel on the medium; live-build's is followed by its version.
const KERNEL: [&str; 2] = ["live", "vmlinuz"];

/// Boots a copy of the ISO with one byte of the kernel changed; an error if the kernel starts all the same, or if
/// something else than its signature keeps it from starting.
pub fn tampered(options: &Options, tools_root: &Path, store: &Store, progress: &Progress) -> Result<()> {
    let (outcome, logs) = run(options, tools_root, store, progress)?;
    let Some(fault) = outcome.fault else { return Ok(()) };
    Err(Error::boot(format!("Secure Boot does not refuse a tampered kernel: {fault}"))
        .detail(format!("the console's last lines:\n{}", outcome.tail.join("\n")))
        .help(format!("the whole console is in {}", logs.host(".log").display())))
}

/// The same as a case of a check.
pub(super) fn case(options: &Options, tools_root: &Path, store: &Store, progress: &Progress) -> Result<Case> {
    let (outcome, logs) = run(options, tools_root, store, progress)?;
    let log = logs.host(".log");
    Ok(Case {
        name: "tampered kernel is refused".into(),
        ok: outcome.fault.is_none(),
        detail: match outcome.fault {
            None => "bad shim signature".into(),
            Some(fault) => format!("{fault}; the console is in {}", log.display()),
        },
        seconds: outcome.seconds,
    })
}

fn run(options: &Options, tools_root: &Path, store: &Store, progress: &Progress) -> Result<(Outcome, Logs)> {
    let options = Options { firmware: Firmware::UefiSecure, ..options.clone() };
    let copy = store.temporary()?;
    tampered_copy(&options.iso, copy.path())?;
    progress.say("boot", "once more, with one byte of the kernel changed");
    let logs = Logs::new(&options, "-tampered", store);
    let job = WatchJob {
        machine: check::machine(&options, Network::default(), &logs),
        goal: Goal::Refusal,
        probes: Vec::new(),
        credentials: Vec::new(),
        timeout: options.timeout.min(Duration::from_mins(3)),
        console_log: logs.worker(".log"),
        qemu_log: logs.worker(".qemu.log"),
        screenshot: (logs.worker(".png"), false),
    };
    Ok((check::run(Host { iso: copy.path(), ..options.host() }, job, tools_root, store, progress)?, logs))
}

/// Copies the ISO and flips one bit in the middle of the kernel, which its signature covers.
fn tampered_copy(iso: &Path, to: &Path) -> Result<()> {
    fs::copy(iso, to).at("copy", iso)?;
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).at("write", to)?;
    let mut file = File::options().read(true).write(true).open(to).at("open", to)?;
    let kernel = find(&mut file, iso)?;
    let at = kernel.offset + kernel.length / 2;
    let byte = read(&mut file, Extent { offset: at, length: 1 }).at("read", to)?;
    let flipped: Vec<u8> = byte.iter().map(|b| b ^ 1).collect();
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(&flipped)).at("write", to)
}

fn find(file: &mut File, iso: &Path) -> Result<Extent> {
    let missing = || Error::input(format!("{} holds no /{}", iso.display(), KERNEL.join("/")));
    let mut at = root(file).at("read", iso)?.ok_or_else(missing)?;
    for name in KERNEL {
        let folder = read(file, Extent { length: at.length.min(iso9660::FOLDER_LIMIT), ..at }).at("read", iso)?;
        at = iso9660::entry(&folder, name).or_else(|| iso9660::versioned(&folder, name)).ok_or_else(missing)?;
    }
    Ok(at)
}

/// Whether a file is an ISO image.
pub fn is_iso(path: &Path) -> Result<bool> {
    File::open(path).and_then(|mut file| root(&mut file)).at("read", path).map(|root| root.is_some())
}

/// The root folder; none if this is no ISO image.
fn root(file: &mut File) -> std::io::Result<Option<Extent>> {
    Ok(iso9660::root(&read(file, Extent { offset: 16 * SECTOR, length: SECTOR })?))
}

fn read(file: &mut File, extent: Extent) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(extent.offset))?;
    let mut bytes = Vec::new();
    file.take(extent.length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
