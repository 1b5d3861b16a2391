//! How patient the gateway is with plugins.

use std::time::Duration;

/// How long plugins may take, and have to wait.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// To start, and again to name its tools.
    pub start: Duration,
    /// To name its tools for the first time while a list waits for them.
    pub list: Duration,
    /// Between two times that it is asked again because it says that it has other tools.
    pub renew: Duration,
    /// To work on others first.
    pub turn: Duration,
    /// To answer a call, if the caller waits so long: a start before it may have taken of his time.
    pub call: Duration,
    /// To say that it is there after a call was cancelled.
    pub ping: Duration,
    /// Until it is tried again after too many faults.
    pub wait: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            // Python on a small board, with others starting beside it.
            start: Duration::from_secs(30),
            list: Duration::from_secs(10),
            renew: Duration::from_mins(1),
            turn: Duration::from_secs(5),
            call: Duration::from_secs(50),
            ping: Duration::from_secs(5),
            wait: Duration::from_mins(1),
        }
    }
}
