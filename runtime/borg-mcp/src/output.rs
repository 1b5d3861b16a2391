//! Standard output, a message a line.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::Mutex;

/// What a pipe may hold, so that a client reads while we write, and not in turns. More is not for every user.
const PIPE: usize = 1024 * 1024;

/// One message at a time; the others wait without a thread.
#[derive(Debug, Clone)]
pub struct Output(Arc<Mutex<()>>);

impl Output {
    pub fn new() -> Self {
        // It may be no pipe, or a narrow one; both do.
        let _ = rustix::pipe::fcntl_setpipe_size(rustix::stdio::stdout(), PIPE);
        Output(Arc::default())
    }

    /// Writes a message, in pieces, and is done when the client's side has taken it.
    pub async fn write(&self, pieces: Vec<Bytes>) -> io::Result<()> {
        let turn = Arc::clone(&self.0).lock_owned().await;
        let writing = move || -> io::Result<()> {
            // Not by way of `io::stdout`, which looks through all of it for the last line feed.
            let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            for piece in &pieces {
                output.write_all(piece)?;
            }
            output.write_all(b"\n")?;
            drop(turn);
            Ok(())
        };
        tokio::task::spawn_blocking(writing).await.map_err(io::Error::other)?
    }
}
