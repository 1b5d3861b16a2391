//! How much the files of a root may take.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use cap_std::fs::Dir;

use crate::fault::Fault;
use crate::walk::{self, Kind, Seen, Step};

/// Others write too, so a measurement grows old.
const FRESH: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Quota {
    max: u64,
    /// When the root was measured, and what was found, with our own changes since.
    used: Mutex<Option<(Instant, u64)>>,
}

impl Quota {
    pub fn new(max: u64) -> Self {
        Quota { max, used: Mutex::new(None) }
    }

    pub fn most(&self) -> u64 {
        self.max
    }

    /// Agrees to a file that grows from `old` to `new` bytes, or says why not. Shrinking is always agreed to.
    pub fn agree(&self, root: &Dir, old: u64, new: u64, until: Instant) -> Result<(), Fault> {
        let mut used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = match *used {
            Some((when, bytes)) if when.elapsed() < FRESH => bytes,
            _ => size(root, until)?,
        };
        let then = now.saturating_sub(old).saturating_add(new);
        if new > old && then > self.max {
            let left = self.max.saturating_sub(now);
            let max = self.max;
            return Err(Fault::new(format!(
                "the allowed directory may hold {max} bytes, and {left} are left: remove something first"
            )));
        }
        let when = used.filter(|(when, _)| when.elapsed() < FRESH).map_or_else(Instant::now, |(when, _)| when);
        *used = Some((when, then));
        Ok(())
    }
}

/// The lengths of all regular files below `dir`, holes included.
pub fn size(dir: &Dir, until: Instant) -> Result<u64, Fault> {
    let mut bytes = 0_u64;
    let whole = walk::visit(dir, until, |seen| {
        if let Seen::Entry { below, kind: Kind::File, .. } = seen {
            bytes = bytes.saturating_add(dir.symlink_metadata(below).map_or(0, |m| m.len()));
        }
        Step::On
    });
    if !whole.map_err(|e| Fault::io("the allowed directory", &e))? {
        return Err(Fault::new("cannot tell in time how full the allowed directory is: it has too many files"));
    }
    Ok(bytes)
}
