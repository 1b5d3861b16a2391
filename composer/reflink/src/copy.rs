//! Copying for one call.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::Answer;
use crate::listener::Call;

/// Bytes that are copied at once.
const CHUNK: usize = 1 << 18;

/// Copies what the process asks for; `waiting` says whether it still does.
pub fn answer(call: &Call, waiting: impl Fn() -> bool) -> Answer {
    let Some((from, to)) = files(call) else { return Answer::Kernel };
    // Only now is it sure that these are that process's files, and not those of a later one with its number.
    if !waiting() || !is_plain(&from, &to) {
        return Answer::Kernel;
    }
    copy(&from, &to).map_or_else(
        |error| {
            let _ = to.set_len(0);
            Answer::Failed(Errno::from_io_error(&error).unwrap_or(Errno::IO))
        },
        |()| Answer::Done,
    )
}

/// The process's own open files, with its own rights to them: what it may not write cannot be written through them.
fn files(call: &Call) -> Option<(File, File)> {
    let process = pidfd_open(Pid::from_raw(call.process)?, PidfdFlags::empty()).ok()?;
    let file = |number| -> Option<File> {
        let fd: OwnedFd = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()?;
        Some(fd.into())
    };
    Some((file(call.from)?, file(call.to)?))
}

/// True if it makes no difference that programs copy some of the attributes after a clone, and others when they copy
/// themselves: root's files, with no rights that a umask of 022 takes away; and if there is nothing to be kept of `to`.
fn is_plain(from: &File, to: &File) -> bool {
    let (Ok(from), Ok(to)) = (from.metadata(), to.metadata()) else { return false };
    let open_to_others = from.mode() & 0o7022 != 0;
    from.is_file() && to.is_file() && to.len() == 0 && from.uid() == 0 && from.gid() == 0 && !open_to_others
}

/// Copies without moving where the process reads and writes.
fn copy(from: &File, to: &File) -> std::io::Result<()> {
    let (mut buffer, mut at) = (vec![0; CHUNK], 0);
    loop {
        let count = from.read_at(&mut buffer, at)?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { return Ok(()) };
        to.write_all_at(part, at)?;
        at += count as u64;
    }
}
