//! Another time of day for a worker's tools: `verify` shows that the clock is in no byte.
//!
//! The kernel's clock is everyone's, so programs are told another time by a library that is loaded before their own.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::error::{IoContext, Result};

/// The library as Debian's package `libfaketime` brings it.
const LIBRARY: &str = "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// Where every root of a worker has it: on a tmpfs, so that it enters no layer.
const PLACE: &str = "run/clock.so";

/// What makes a tool load it: libfaketime's README. Times of files stay true, and waiting takes as long as it does.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("LD_PRELOAD", "/run/clock.so"),
    ("FAKETIME", "+400d"),
    ("NO_FAKE_STAT", "1"),
    ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ("FAKETIME_DISABLE_SHM", "1"),
];

static SHIFTED: OnceLock<()> = OnceLock::new();

/// Has all tools of this worker see another time; a lock of old has no such library, and then it stays the true one.
pub fn shift() -> Result<()> {
    if Path::new("/").join(LIBRARY).is_file() {
        SHIFTED.get_or_init(|| ());
    }
    bring(Path::new("/"))
}

/// Puts the library where a root's programs look for it, if time is shifted. /run must be mounted there.
pub fn bring(root: &Path) -> Result<()> {
    if SHIFTED.get().is_none() {
        return Ok(());
    }
    let place = root.join(PLACE);
    fs::copy(Path::new("/").join(LIBRARY), &place).at("write", &place).map(drop)
}

/// What a tool's environment has more.
pub fn environment() -> &'static [(&'static str, &'static str)] {
    if SHIFTED.get().is_some() { &ENVIRONMENT } else { &[] }
}
