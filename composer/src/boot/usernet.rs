//! The state of forwarded connections, from QEMU's `info usernet`.

/// How far the guest let a forwarded connection come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The guest has not answered yet.
    Asking,
    /// The guest took the connection, and may have closed it since.
    Taken,
}

/// The state of the connection to the guest's port `guest` that comes from the loopback port `source`.
///
/// A row is `TCP[ESTABLISHED] 12 127.0.0.1 43210 10.0.2.15 80 0 0`: state, descriptor, source, destination, queues.
pub fn state(table: &str, source: u16, guest: u16) -> Option<State> {
    table.lines().find_map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [protocol, _, _, from, _, to, ..] = words.as_slice() else { return None };
        if from.parse() != Ok(source) || to.parse() != Ok(guest) {
            return None;
        }
        match protocol.strip_prefix("TCP[")?.strip_suffix(']')? {
            "ESTABLISHED" | "CLOSE_WAIT" | "FIN_WAIT_1" | "FIN_WAIT_2" | "CLOSING" | "LAST_ACK" | "TIME_WAIT" => Some(State::Taken),
            _ => Some(State::Asking),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "Hub -1 (net0):\r
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  TCP[ESTABLISHED]   15       127.0.0.1 43210       10.0.2.15    80     0     0\r
  TCP[SYN_SENT]      16       127.0.0.1 43212       10.0.2.15    22     0     0\r
  TCP[HOST_FORWARD]  12       127.0.0.1 20000       10.0.2.15    80     0     0\r
";

    #[test]
    fn a_connection_is_found_by_both_ports() {
        assert_eq!(state(TABLE, 43210, 80), Some(State::Taken));
        assert_eq!(state(TABLE, 43212, 22), Some(State::Asking));
        assert_eq!(state(TABLE, 43210, 22), None);
        assert_eq!(state(TABLE, 1, 80), None);
    }

    proptest! {
        #[test]
        fn any_table_is_read(table in "\\PC{0,200}", source: u16, guest: u16) {
            let _ = state(&table, source, guest);
        }
    }
}
