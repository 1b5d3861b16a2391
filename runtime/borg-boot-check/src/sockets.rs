//! The kernel's tables of sockets (`/proc/net/{tcp,tcp6,udp,udp6}`), parsed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// A socket that waits for others: a listening TCP one, or a UDP one that is bound and not connected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket {
    pub protocol: Protocol,
    pub port: u16,
    pub address: IpAddr,
    /// What `/proc/PID/fd` names it by.
    pub inode: u64,
}

impl Socket {
    pub fn is_loopback(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => address.is_loopback(),
            IpAddr::V6(address) => {
                address.is_loopback() || address.to_ipv4_mapped().is_some_and(|inner| inner.is_loopback())
            }
        }
    }
}

const TCP_LISTEN: &str = "0A";
/// The kernel keeps a UDP socket without a peer in the state of a closed TCP one.
const UDP_UNCONNECTED: &str = "07";

/// The waiting sockets of one table; lines that cannot be read, the heading among them, are left out.
pub fn waiting(table: &str, protocol: Protocol) -> Vec<Socket> {
    table.lines().filter_map(|line| socket(line, protocol)).collect()
}

fn socket(line: &str, protocol: Protocol) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let waits = match protocol {
        Protocol::Tcp => *state == TCP_LISTEN,
        Protocol::Udp => *state == UDP_UNCONNECTED,
    };
    if !waits {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some(Socket {
        protocol,
        port: u16::from_str_radix(port, 16).ok()?,
        address: self::address(address)?,
        inode: inode.parse().ok()?,
    })
}

/// One word or four, each printed in the byte order of the machine.
fn address(text: &str) -> Option<IpAddr> {
    if !text.is_ascii() {
        return None;
    }
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (chunk, at) in bytes.chunks_exact_mut(4).zip((0..).step_by(8)) {
                chunk.copy_from_slice(&word(at)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1C84 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 17401 1 ff 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17402 1 ff 100 0 0 10 0
   2: 0F02000A:8C2C 0202000A:01BB 01 00000000:00000000 02:00000AD5 00000000     0        0 17403 2 ff 20 4 30 10 -1
";

    #[test]
    fn listening_tcp_sockets_are_found() {
        let found = waiting(TCP, Protocol::Tcp);
        let expected = [("127.0.0.1", 7300, 17401), ("0.0.0.0", 80, 17402)];
        let expected: Vec<Socket> = expected
            .map(|(address, port, inode)| Socket {
                protocol: Protocol::Tcp,
                port,
                address: address.parse().unwrap(),
                inode,
            })
            .into();
        assert_eq!(found, expected);
        assert!(found[0].is_loopback() && !found[1].is_loopback());
    }

    #[test]
    fn udp_sockets_without_a_peer_are_found() {
        let table = "\
   1: 00000000000000000000000001000000:0222 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 9 2 ff 0
   2: 0000000000000000FFFF00000100007F:0035 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 8 2 ff 0
   3: 000080FE00000000FF005450563412FE:0222 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 7 2 ff 0
   4: 0F02000A:0035 0202000A:0035 01 0:0 00:0 0 0 0 6 2 ff 0
";
        let found = waiting(table, Protocol::Udp);
        let text: Vec<String> = found.iter().map(|s| format!("{} {} {}", s.address, s.port, s.is_loopback())).collect();
        assert_eq!(text, ["::1 546 true", "::ffff:127.0.0.1 53 true", "fe80::5054:ff:fe12:3456 546 false"]);
    }

    proptest! {
        #[test]
        fn any_table_can_be_read(text in "\\PC{0,200}") {
            let _ = waiting(&text, Protocol::Tcp);
        }

        #[test]
        fn what_the_kernel_prints_is_read_back(address: [u32; 4], port: u16, inode: u64) {
            let hex = address.map(|w| format!("{w:08X}")).concat();
            let line = format!(" 1: {hex}:{port:04X} {hex}:0000 0A 0:0 00:0 0 0 0 {inode} 1");
            let found = waiting(&line, Protocol::Tcp);
            let bytes: Vec<u8> = address.iter().flat_map(|w| w.to_ne_bytes()).collect();
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap());
            prop_assert_eq!(found, vec![Socket { protocol: Protocol::Tcp, port, address: address.into(), inode }]);
        }
    }
}
