//! Packing a tar stream into a squashfs, and back.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::native::{marks, pack};
use crate::error::{IoContext, Result};
use crate::profile::types::Compression;
use crate::store::Store;
use crate::workshop::{Run, rootless};
use crate::{Digest, Error};

/// Bytes between the packer and sqfstar.
const BUFFER: usize = 1 << 20;
/// What sqfstar may keep in memory.
const MEMORY: &str = "128M";

/// How packing shares the processors with what else this build does: what other layers wait for goes first, until nothing
/// waits any more.
#[derive(Debug)]
pub struct Pace(AtomicBool);

impl Pace {
    /// `modest` if something else of this build has the first right to the processors.
    pub fn new(modest: bool) -> Self {
        Pace(AtomicBool::new(modest))
    }

    fn is_modest(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// What sqfstar is started by. Who is not root could not take `chrt --idle` back.
    fn words(&self) -> (&'static str, &'static [&'static str]) {
        match (self.is_modest(), rootless::inside()) {
            (false, _) => ("sqfstar", &[]),
            (true, true) => ("nice", &["-n", "19", "sqfstar"]),
            (true, false) => ("chrt", &["--idle", "0", "sqfstar"]),
        }
    }

    /// Lets packing that goes on have its share from now on. On a busy machine it would otherwise get none.
    pub fn hurry(&self, log: &Path) {
        if !self.0.swap(false, Ordering::SeqCst) || rootless::inside() {
            return;
        }
        for process in idle() {
            // It may have ended meanwhile.
            let _ =
                Run::new("chrt").args(["--all-tasks", "--other", "--pid", "0"]).arg(process.to_string()).log(log).run();
        }
    }
}

/// The processes of this worker that pack, or are about to: all that were started by `chrt --idle`.
fn idle() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let packs = |pid: &u32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        ["sqfstar", "chrt"].contains(&name.trim_end())
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(packs).collect()
}

/// Packs a folder into the store; answers with digest and size.
pub fn squash_folder(
    folder: &Path,
    epoch: u64,
    compression: Compression,
    store: &Store,
    log: &Path,
    pace: &Pace,
) -> Result<(Digest, u64)> {
    squash(epoch, compression, store, log, pace, |sink| pack::pack(folder, epoch, sink))
}

/// Packs whatever `write` streams as tar.
pub fn squash(
    epoch: u64,
    compression: Compression,
    store: &Store,
    log: &Path,
    pace: &Pace,
    write: impl FnOnce(BufWriter<std::io::PipeWriter>) -> Result<()> + Send,
) -> Result<(Digest, u64)> {
    let out = store.temporary()?;
    let (reader, writer) = std::io::pipe().at("make", Path::new("a pipe"))?;
    let run = sqfstar(out.path(), epoch, compression, log, pace);
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || write(BufWriter::with_capacity(BUFFER, writer)));
        let squashed = run.run_with_stdin(File::from(std::os::fd::OwnedFd::from(reader)));
        let packed = packing.join().unwrap_or_else(|_| Err(Error::internal("packing a layer failed")));
        // When sqfstar dies first the packer sees a broken pipe: its own words are the better ones.
        squashed.and(packed)
    })?;
    let file = File::open(out.path()).at("open", out.path())?;
    let size = file.metadata().at("read", out.path())?.len();
    let digest = Digest::of_reader(file).at("read", out.path())?;
    store.stamp(&store.adopt(out, &digest)?, digest)?;
    Ok((digest, size))
}

fn sqfstar(out: &Path, epoch: u64, compression: Compression, log: &Path, pace: &Pace) -> Run {
    let compressor: &[&str] = match compression {
        Compression::Zstd => &["-comp", "zstd", "-Xcompression-level", "6"],
        Compression::Fast => &["-comp", "zstd", "-Xcompression-level", "3"],
        Compression::Xz => &["-comp", "xz", "-Xbcj", "x86"],
    };
    let (program, modest) = pace.words();
    Run::new(program)
        .args(modest)
        .args(compressor)
        .args(["-b", "1M", "-reproducible", "-exit-on-error", "-root-mode", "755", "-root-uid", "0", "-root-gid", "0"])
        // Else a quarter of the machine's memory fills with what waits to be packed.
        .args(["-mem", MEMORY])
        .args(["-no-progress", "-quiet", "-force"])
        .arg(out)
        .env("SOURCE_DATE_EPOCH", epoch.to_string())
        .log(log)
}

/// Unpacks a layer, with its whiteouts and opaque folders, into a new folder.
pub fn unsquash(image: &Path, folder: &Path, log: &Path) -> Result<()> {
    let run = || Run::new("unsquashfs").args(["-no-progress", "-quiet"]).log(log);
    let into = |run: Run| run.args(["-f", "-d"]).arg(folder).arg(image).run();
    if !rootless::inside() {
        return into(run());
    }
    into(run().args(["-xattrs-exclude", "^trusted[.]"]))?;
    let opaque = run().args(["-pf", "-"]).arg(image).run_into(|out| {
        let mut out = BufReader::with_capacity(BUFFER, out);
        let found = marks::opaque_folders(&mut out).at("read", image)?;
        // The files' bytes follow.
        std::io::copy(&mut out, &mut std::io::sink()).at("read", image)?;
        Ok(found)
    })?;
    opaque.iter().map(|path| folder.join(path)).try_for_each(|path| {
        let (name, value) = marks::OPAQUE_INSIDE;
        xattr::set(&path, name, value).at("mark", &path)
    })
}
