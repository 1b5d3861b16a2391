//! The filter, and the calls that it hands over (`seccomp(2)`, `seccomp_unotify(2)`).

#![allow(unsafe_code, reason = "no crate without a C library wraps these calls")]

use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use libc::{seccomp_data, seccomp_notif, seccomp_notif_resp, sock_filter, sock_fprog};
use rustix::io::{Errno, Result};
use rustix::ioctl::{Setter, Updater, ioctl, opcode};

use crate::Answer;

/// `AUDIT_ARCH_…` of <linux/audit.h>: the one whose system calls have the numbers that `libc` names.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// `FICLONE` of <linux/fs.h>: clone the file of the third argument into that of the first.
const FICLONE: u32 = opcode::write::<i32>(0x94, 9);

/// `SECCOMP_IOCTL_NOTIF_…` of <linux/seccomp.h>.
const RECEIVE: u32 = opcode::read_write::<seccomp_notif>(b'!', 0);
const SEND: u32 = opcode::read_write::<seccomp_notif_resp>(b'!', 1);
const IS_VALID: u32 = opcode::write::<u64>(b'!', 2);

/// A process's call of `FICLONE`.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    id: u64,
    /// As it is numbered where this program runs.
    pub process: i32,
    /// Numbers of its descriptors.
    pub from: RawFd,
    pub to: RawFd,
}

/// Where the calls of this thread's processes arrive.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Puts the filter over the calling thread and all that it starts from now on. It cannot be taken back.
    pub fn install() -> Result<Self> {
        if !has_known_sizes()? {
            return Err(Errno::NOSYS);
        }
        let mut filter = filter();
        let length = u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?;
        let program = sock_fprog { len: length, filter: filter.as_mut_ptr() };
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        // SAFETY: the kernel copies `length` instructions from where `program` says, and both live until it has.
        let listener = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref(&program))
        };
        let fd = result(listener)?;
        // SAFETY: the kernel has just made this descriptor, and nobody else has it.
        Ok(Listener(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub fn receive(&self) -> Result<Call> {
        // SAFETY: every field is an integer, so that zeros are a value; the kernel asks for them.
        let mut notif: seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one structure of this type, whose size was compared with its own.
        unsafe { ioctl(&self.0, Updater::<RECEIVE, _>::new(&mut notif))? };
        let number = |argument: u64| RawFd::try_from(argument & u64::from(u32::MAX)).unwrap_or(-1);
        Ok(Call {
            id: notif.id,
            process: i32::try_from(notif.pid).unwrap_or_default(),
            from: number(notif.data.args[2]),
            to: number(notif.data.args[0]),
        })
    }

    /// False if the process has been killed meanwhile: its number may be another one's.
    pub fn is_waiting(&self, call: &Call) -> bool {
        // SAFETY: the kernel reads one number.
        unsafe { ioctl(&self.0, Setter::<IS_VALID, _>::new(call.id)) }.is_ok()
    }

    pub fn answer(&self, call: &Call, answer: Answer) -> Result<()> {
        let (error, flags) = match answer {
            Answer::Done => (0, 0),
            Answer::Failed(error) => (-error.raw_os_error(), 0),
            Answer::Kernel => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE),
        };
        let flags = u32::try_from(flags).map_err(|_| Errno::INVAL)?;
        let mut response = seccomp_notif_resp { id: call.id, val: 0, error, flags };
        // SAFETY: the kernel reads one structure of this type, whose size was compared with its own.
        unsafe { ioctl(&self.0, Updater::<SEND, _>::new(&mut response)) }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Hands over `ioctl(…, FICLONE, …)` of this architecture's programs, and lets all else pass.
fn filter() -> [sock_filter; 8] {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUALS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let step = |code: u32, otherwise: u8, value: u32| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt: 0,
        jf: otherwise,
        k: value,
    };
    let field = |offset: usize| u32::try_from(offset).unwrap_or_default();
    [
        step(LOAD, 0, field(offset_of!(seccomp_data, arch))),
        step(EQUALS, 5, ARCHITECTURE),
        step(LOAD, 0, field(offset_of!(seccomp_data, nr))),
        step(EQUALS, 3, u32::try_from(libc::SYS_ioctl).unwrap_or_default()),
        // The lower half of the second argument: the kernel takes the command as a 32-bit number.
        step(LOAD, 0, field(offset_of!(seccomp_data, args)) + 8),
        step(EQUALS, 1, FICLONE),
        step(RETURN, 0, libc::SECCOMP_RET_USER_NOTIF),
        step(RETURN, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// A newer kernel may have more to say than these structures hold.
fn has_known_sizes() -> Result<bool> {
    let mut sizes = libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    // SAFETY: the kernel writes one structure of this type.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0, std::ptr::from_mut(&mut sizes)) };
    result(done)?;
    let fits = |kernels: u16, ours: usize| usize::from(kernels) == ours;
    Ok(fits(sizes.seccomp_notif, size_of::<seccomp_notif>())
        && fits(sizes.seccomp_notif_resp, size_of::<seccomp_notif_resp>()))
}

/// What a system call said.
fn result(value: libc::c_long) -> Result<RawFd> {
    if value < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
    }
    RawFd::try_from(value).map_err(|_| Errno::INVAL)
}
