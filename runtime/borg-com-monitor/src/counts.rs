//! What the kernel's driver counts for a port: characters that came too fast for it, or came broken (TIOCGICOUNT).

use std::os::fd::{AsRawFd, BorrowedFd};

use serde::Serialize;

/// Since the driver was loaded, as `struct serial_icounter_struct` of <linux/serial.h> has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub received: u32,
    pub frame_errors: u32,
    pub parity_errors: u32,
    pub breaks: u32,
    /// Characters that the device dropped since the driver did not fetch them in time.
    pub overruns: u32,
    /// Characters that the kernel dropped since nobody read them in time.
    pub buffer_overruns: u32,
}

impl Counts {
    /// Characters that were lost since `before`.
    pub fn lost_since(&self, before: &Counts) -> u32 {
        let lost = self.overruns.wrapping_sub(before.overruns);
        lost.saturating_add(self.buffer_overruns.wrapping_sub(before.buffer_overruns))
    }
}

#[repr(C)]
#[derive(Default)]
struct Raw {
    cts: i32,
    dsr: i32,
    rng: i32,
    dcd: i32,
    rx: i32,
    tx: i32,
    frame: i32,
    overrun: i32,
    parity: i32,
    brk: i32,
    buf_overrun: i32,
    reserved: [i32; 9],
}

#[allow(unsafe_code, reason = "no crate wraps this ioctl")]
mod ioctl {
    nix::ioctl_read_bad!(get_counts, nix::libc::TIOCGICOUNT, super::Raw);

    /// The counters of an open port; none if its driver keeps none, as a pseudo-terminal's.
    pub fn counts(port: super::BorrowedFd<'_>) -> Option<super::Raw> {
        use super::AsRawFd as _;
        let mut raw = super::Raw::default();
        // SAFETY: the descriptor is open as long as it is borrowed, and the kernel writes one structure of this layout.
        unsafe { get_counts(port.as_raw_fd(), &raw mut raw) }.ok().map(|_| raw)
    }
}

/// The counters of an open port; none if its driver keeps none, as a pseudo-terminal's.
pub fn of(port: BorrowedFd<'_>) -> Option<Counts> {
    let raw = ioctl::counts(port)?;
    Some(Counts {
        received: raw.rx.cast_unsigned(),
        frame_errors: raw.frame.cast_unsigned(),
        parity_errors: raw.parity.cast_unsigned(),
        breaks: raw.brk.cast_unsigned(),
        overruns: raw.overrun.cast_unsigned(),
        buffer_overruns: raw.buf_overrun.cast_unsigned(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_is_no_serial_port_has_no_counters() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(of(file.as_fd()), None);
        let pty = nix::pty::openpty(None, None).unwrap();
        assert_eq!(of(pty.slave.as_fd()), None);
    }

    #[test]
    fn counters_may_begin_again() {
        let (before, now) =
            (Counts { overruns: u32::MAX, ..Counts::default() }, Counts { overruns: 1, ..Counts::default() });
        assert_eq!(now.lost_since(&before), 2);
    }

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(size_of::<Raw>(), 80);
    }
}
