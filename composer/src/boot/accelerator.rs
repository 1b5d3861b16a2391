//! Whether KVM carries a guest on this host, found out once for each boot of the host.
//!
//! Under nested virtualisation the device may be there, firmware and boot loader run, and the kernel hangs or dies.

#![allow(clippy::disallowed_methods, reason = "an edge: looks at the host's devices")]

use std::path::Path;
use std::time::Duration;

use super::attempt::Attempt;
use super::console::Stage;
use super::machine::{Accelerator, Console, Machine};
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::workshop::{self, Voice};

/// Records of this kind, by the boot id of the host.
pub const KIND: &str = "kvm";

/// With KVM, firmware and boot loader take a few seconds, and the kernel as many again.
const KERNEL: Duration = Duration::from_secs(30);
const INIT: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(200);

/// True if a guest under KVM should have come further by now.
pub fn hangs(stage: Stage, elapsed: Duration) -> bool {
    stage < Stage::Kernel && elapsed > KERNEL || stage < Stage::Init && elapsed > INIT
}

/// What is known of KVM here; `None` if it has to be tried.
pub fn known(store: &Store) -> Result<Option<bool>> {
    if !Path::new("/dev/kvm").exists() {
        return Ok(Some(false));
    }
    store.record(KIND, &boot_id()?)
}

/// Remembers what a boot has shown, and says so if that is bad news.
pub fn remember(works: bool, store: &Store) -> Result<()> {
    if !works {
        Voice.say("boot", "KVM does not work here");
    }
    store.put_record(KIND, &boot_id()?, &works)
}

/// Known, or tried with a boot of this machine that nobody sees, without its further disk.
pub fn choose(machine: &Machine, store: &Store) -> Result<Accelerator> {
    let works = match known(store)? {
        Some(works) => works,
        None => try_out(machine, store)?,
    };
    Ok(if works { Accelerator::Kvm } else { Accelerator::Tcg })
}

fn try_out(machine: &Machine, store: &Store) -> Result<bool> {
    Voice.say("boot", "trying whether KVM works here, which is remembered");
    let work = Path::new(workshop::WORK);
    let (console, qemu) = (work.join("kvm-console.log"), work.join("kvm-qemu.log"));
    let machine = Machine { disk: false, serial: None, console: Console::File(console.clone()), ..machine.clone() };
    let mut attempt = Attempt::start(&machine, Accelerator::Kvm, &console, &qemu)?;
    let works = loop {
        attempt.listen()?;
        if attempt.console.stage >= Stage::Init {
            break true;
        }
        if attempt.stopped()?.is_some() || hangs(attempt.console.stage, attempt.elapsed()) {
            break false;
        }
        std::thread::sleep(STEP);
    };
    attempt.end();
    remember(works, store)?;
    Ok(works)
}

fn boot_id() -> Result<String> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    Ok(std::fs::read_to_string(path).at("read", path)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_comes_no_further_hangs() {
        let after = Duration::from_secs;
        assert!(!hangs(Stage::Firmware, after(29)) && hangs(Stage::Firmware, after(31)));
        assert!(hangs(Stage::Silent, after(31)) && !hangs(Stage::Kernel, after(31)));
        assert!(hangs(Stage::Kernel, after(61)) && !hangs(Stage::Init, after(600)));
    }
}
