//! `boot`: the ISO in QEMU.

use crate::Error;
use crate::cli::args::{Boot, Global};
use crate::error::Result;

pub fn run(_args: &Boot, _global: &Global) -> Result<()> {
    Err(Error::internal("not there yet"))
}
