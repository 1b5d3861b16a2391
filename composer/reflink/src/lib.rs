//! Answers `FICLONE` (`ioctl_ficlonerange(2)`) for programs on a file system without clones, by copying.
//!
//! dracut-install copies a thousand kernel modules and firmware files into an initrd. It asks the kernel to clone each, and
//! starts `cp` where that is refused, as on a tmpfs. A copy takes microseconds, the start of a program milliseconds.
//!
//! The programs run under a seccomp filter that hands this one call over to their supervisor (`seccomp_unotify(2)`); every
//! other call goes straight to the kernel. Where the kernel or a sandbox has no such filters they run as they would anyway.

mod copy;
mod listener;

use std::io::PipeReader;
use std::sync::mpsc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use listener::Listener;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The file has been copied.
    Done,
    /// The copy failed.
    Failed(Errno),
    /// The kernel is to answer itself.
    Kernel,
}

/// Does `work` on a thread of its own; the processes that it starts find that files can be cloned.
pub fn with<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let Ok((end, open)) = std::io::pipe() else { return work() };
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        let working = scope.spawn(move || {
            // Closed when the work is over, however it ends.
            let _open = open;
            // A filter is its thread's, and that of all processes which the thread starts.
            let _ = send.send(Listener::install());
            work()
        });
        if let Ok(Ok(listener)) = receive.recv() {
            serve(&listener, &end);
        }
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Answers until the work is over. Who still asks then is told that there is no such call.
fn serve(listener: &Listener, end: &PipeReader) {
    loop {
        let mut ready = [PollFd::new(listener, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) if !ready[1].revents().is_empty() => return,
            Ok(_) if ready[0].revents().contains(PollFlags::IN) => {}
            Err(Errno::INTR) => continue,
            Ok(_) | Err(_) => return,
        }
        // One that was killed meanwhile has nothing to ask any more.
        if let Ok(call) = listener.receive() {
            let answer = copy::answer(&call, || listener.is_waiting(&call));
            let _ = listener.answer(&call, answer);
        }
    }
}
