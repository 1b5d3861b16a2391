//! The state of forwarded connections, from QEMU's `info usernet`.

use super::network::Forward;

/// Whether the guest took a connection through `forward`; it may have closed it since.
///
/// A row is `TCP[ESTABLISHED] 12 127.0.0.1 20000 10.0.2.15 80 0 0`: state, descriptor, the forward's host side, the
/// guest's side, queues. The forward itself has a row too, in the state `HOST_FORWARD`.
pub fn taken(table: &str, forward: Forward) -> bool {
    table.lines().any(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [protocol, _, _, host, _, guest, ..] = words.as_slice() else { return false };
        let state = protocol.strip_prefix("TCP[").and_then(|p| p.strip_suffix(']'));
        host.parse() == Ok(forward.host) && guest.parse() == Ok(forward.guest) && state.is_some_and(open)
    })
}

/// The states of RFC 9293 that a connection has only after the guest's own SYN.
fn open(state: &str) -> bool {
    matches!(state, "ESTABLISHED" | "CLOSE_WAIT" | "FIN_WAIT_1" | "FIN_WAIT_2" | "CLOSING" | "LAST_ACK" | "TIME_WAIT")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "Hub -1 (net0):\r
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  TCP[SYN_SENT]      16       127.0.0.1 20001       10.0.2.15    22     0     0\r
  TCP[ESTABLISHED]   15       127.0.0.1 20000       10.0.2.15    80     0     0\r
  TCP[HOST_FORWARD]  12       127.0.0.1 20002       10.0.2.15  7300     0     0\r
";

    #[test]
    fn only_a_connection_that_the_guest_took_counts() {
        let taken = |host, guest| taken(TABLE, Forward { host, guest });
        assert!(taken(20_000, 80));
        assert!(!taken(20_001, 22));
        assert!(!taken(20_002, 7300));
        assert!(!taken(20_000, 22));
    }

    proptest! {
        #[test]
        fn any_table_is_read(table in "\\PC{0,200}", host: u16, guest: u16) {
            let _ = taken(&table, Forward { host, guest });
        }
    }
}
