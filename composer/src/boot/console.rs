//! What the serial console says: milestones, the verdict's line, and faults that need no time-out to be seen.

use std::collections::VecDeque;

/// How many last lines are kept for a report.
const TAIL: usize = 25;
/// A line longer than this is cut: only a garbled console has one.
const LINE: usize = 4096;

const VERDICT: &str = "BORG-BOOT-CHECK:";

/// Words of the boot loader and the firmware; they mean nothing once the kernel speaks.
const EARLY: [(&str, &str); 9] = [
    ("bad shim signature", "the boot loader refuses the kernel: bad shim signature"),
    ("you need to load the kernel first", "the boot loader could not load the kernel"),
    ("grub rescue>", "the boot loader ended at its rescue prompt"),
    ("grub> ", "the boot loader ended at its prompt: it found no menu"),
    ("Security Violation", "the firmware refuses the boot loader: security violation"),
    ("Access Denied", "the firmware refuses the boot loader: access denied"),
    ("No bootable option or device was found", "the firmware found nothing to boot"),
    ("No bootable device", "the firmware found nothing to boot"),
    ("UEFI Interactive Shell", "the firmware found nothing to boot and started its shell"),
];

/// Words of the kernel, the initramfs and systemd.
const LATE: [(&str, &str); 11] = [
    ("Kernel panic - not syncing: ", "kernel panic"),
    ("BOOT FAILED!", "live-boot gave up in the initramfs"),
    ("(initramfs)", "the initramfs ended at its shell"),
    ("Unable to find a medium containing a live file system", "the initramfs found no medium with the layers"),
    ("Dropping to a shell", "the initramfs ended at its shell"),
    ("requested /sbin/init", "the layers hold no init"),
    ("You are in emergency mode", "systemd is in emergency mode"),
    ("You are in rescue mode", "systemd is in rescue mode"),
    ("Cannot open access to console, the root account is locked", "systemd is in emergency mode"),
    ("Reached target emergency.target", "systemd is in emergency mode"),
    ("Freezing execution", "systemd froze"),
];

/// What only a started kernel brings about; a quiet one has no version line.
const KERNEL: [&str; 4] = ["] Linux version ", "EFI stub: ", "Begin: ", "Welcome to "];

/// How far the boot came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Silent,
    Firmware,
    Kernel,
    /// systemd, from the layers.
    Init,
    Login,
}

/// Reads the console as it grows.
#[derive(Debug)]
pub struct Console {
    pending: Vec<u8>,
    lines: VecDeque<String>,
    loader_error: Option<String>,
    pub stage: Stage,
    pub fault: Option<String>,
    /// The verdict's line, without its mark: `ok` or `failed …`.
    pub verdict: Option<String>,
}

impl Default for Console {
    fn default() -> Self {
        Console {
            pending: Vec::new(),
            lines: VecDeque::new(),
            loader_error: None,
            stage: Stage::Silent,
            fault: None,
            verdict: None,
        }
    }
}

impl Console {
    /// Takes the next bytes, which may end anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let room = LINE.saturating_sub(self.pending.len());
            self.pending.extend(part.iter().take(room));
            if part.ends_with(b"\n") {
                let line = text(&self.pending);
                self.pending.clear();
                self.line(&line, true);
            }
        }
        // A prompt ends no line.
        let rest = text(&self.pending);
        self.line(&rest, false);
    }

    /// The last lines, for a report.
    pub fn tail(&self) -> Vec<String> {
        let rest = text(&self.pending);
        self.lines.iter().cloned().chain(Some(rest).filter(|r| !r.trim().is_empty())).collect()
    }

    fn line(&mut self, line: &str, whole: bool) {
        let line = line.trim_end();
        if line.trim().is_empty() {
            return;
        }
        self.milestone(line);
        if self.fault.is_none() {
            self.fault = self.judge(line, whole);
        }
        if whole {
            // Only at the start: a failed service's own words may follow on a line of notes.
            if let Some(rest) = line.trim_start().strip_prefix(VERDICT) {
                self.verdict.get_or_insert_with(|| rest.trim().to_owned());
            }
            self.lines.push_back(line.to_owned());
            if self.lines.len() > TAIL {
                self.lines.pop_front();
            }
        }
    }

    fn milestone(&mut self, line: &str) {
        let stage = if line.trim_end().ends_with(" login:") {
            Stage::Login
        } else if line.contains("] systemd[1]: ") {
            Stage::Init
        } else if KERNEL.iter().any(|mark| line.contains(mark)) {
            Stage::Kernel
        } else {
            Stage::Firmware
        };
        self.stage = self.stage.max(stage);
    }

    fn judge(&mut self, line: &str, whole: bool) -> Option<String> {
        if let Some(says) = find(&LATE, line) {
            // A panic's reason stands in the rest of its line, which may not be there yet.
            return match line.split_once("not syncing: ") {
                Some((_, reason)) => whole.then(|| format!("{says}: {reason}")),
                None => Some(says.to_owned()),
            };
        }
        if self.stage >= Stage::Kernel {
            return None;
        }
        if let Some(at) = line.find("error: ").filter(|_| whole) {
            self.loader_error.get_or_insert_with(|| line.get(at..).unwrap_or(line).to_owned());
        }
        let says = find(&EARLY, line)?;
        Some(match &self.loader_error {
            Some(error) if !says.contains("shim") => format!("{says} ({error})"),
            _ => says.to_owned(),
        })
    }
}

fn find(table: &[(&str, &'static str)], line: &str) -> Option<&'static str> {
    table.iter().find(|(mark, _)| line.contains(mark)).map(|(_, says)| *says)
}

/// A line for a person: no escape sequences, no control characters.
pub fn text(bytes: &[u8]) -> String {
    clean(&String::from_utf8_lossy(&strip_ansi_escapes::strip(bytes)))
}

/// What came from the guest may hold anything; a terminal must not be steered by it.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(text: &str) -> Console {
        let mut console = Console::default();
        // In small pieces, as a growing file gives them.
        for piece in text.as_bytes().chunks(7) {
            console.push(piece);
        }
        console
    }

    const KERNEL: &str = "[    0.000000] Linux version 6.12.1\r\n";

    #[test]
    fn a_good_boot_passes_its_milestones() {
        assert_eq!(after("").stage, Stage::Silent);
        assert_eq!(after("\x1b[2J\x1b[01;01H  Booting").stage, Stage::Firmware);
        assert_eq!(
            after(&format!("{KERNEL}[   25.7] systemd[1]: Detected architecture x86-64.\r\n")).stage,
            Stage::Init
        );
        let console = after(&format!("GRUB\r\n{KERNEL}Debian GNU/Linux 13 edge ttyS0\r\n\r\nedge login: "));
        assert_eq!((console.stage, console.fault), (Stage::Login, None));
    }

    #[test]
    fn the_verdict_is_a_line_of_its_own() {
        let console = after(&format!("{KERNEL}edge login: \nBORG-BOOT-CHECK: failed nginx, unit mcp\r\n"));
        assert_eq!(console.verdict.as_deref(), Some("failed nginx, unit mcp"));
        assert_eq!(after("BORG-BOOT-CHECK: o").verdict, None);
        assert_eq!(after("BORG-BOOT-CHECK-NOTE: nginx: BORG-BOOT-CHECK: ok\n").verdict, None);
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| after(text).fault.unwrap_or_default();
        insta::assert_snapshot!(fault(&format!("{KERNEL}[  1.5] Kernel panic - not syncing: VFS: no root\r\n")), @"kernel panic: VFS: no root");
        insta::assert_snapshot!(fault("error: file `/live/vmlinuz' not found.\r\nerror: you need to load the kernel first.\r\n"), @"the boot loader could not load the kernel (error: file `/live/vmlinuz' not found.)");
        insta::assert_snapshot!(fault("\x1b[0merror: bad shim signature.\r\n"), @"the boot loader refuses the kernel: bad shim signature");
        insta::assert_snapshot!(fault(&format!("{KERNEL}BusyBox v1.37\r\n(initramfs) ")), @"the initramfs ended at its shell");
        insta::assert_snapshot!(fault(&format!("{KERNEL}You are in emergency mode. After logging in\r\n")), @"systemd is in emergency mode");
        insta::assert_snapshot!(fault("BdsDxe: failed to load Boot0001: Access Denied\r\n"), @"the firmware refuses the boot loader: access denied");
    }

    #[test]
    fn words_of_another_stage_are_no_fault() {
        assert_eq!(after(&format!("{KERNEL}app: Access Denied, grub> is a prompt\r\n")).fault, None);
        assert_eq!(after("error: no suitable video mode found.\r\n").fault, None);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_read(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut console = Console::default();
            for piece in &pieces {
                console.push(piece);
            }
            prop_assert!(console.tail().iter().all(|l| !l.contains('\x1b')));
        }
    }
}
