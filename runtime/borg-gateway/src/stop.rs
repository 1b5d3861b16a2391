//! Whether the gateway is being stopped: calls that are cancelled then were not cancelled by whoever called.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for SIGTERM and SIGINT, which others listen for to end.
    pub fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (stopped, stop) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stopped.send_replace(true);
        });
        Ok(Stop(stop))
    }

    #[cfg(test)]
    pub fn never() -> Self {
        Stop(watch::channel(false).1)
    }

    pub fn is_on(&self) -> bool {
        *self.0.borrow()
    }
}
