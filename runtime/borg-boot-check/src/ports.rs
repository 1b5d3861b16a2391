//! What listens, compared with what the profile's services declare.

use borg_config::{BootCheck, PortCheck};

use crate::sockets::{Protocol, Socket};

/// A difference; `socket` is there when something listens that should not, so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub protocol: String,
    pub port: u16,
    pub reason: &'static str,
    pub socket: Option<Socket>,
}

/// Every difference between what is declared and what listens.
pub fn compare(declared: &BootCheck, listening: &[Socket]) -> Vec<Fault> {
    let ports: Vec<&PortCheck> = declared.services.iter().flat_map(|s| &s.ports).collect();
    let mut faults: Vec<Fault> = listening.iter().filter_map(|socket| unwanted(&ports, socket)).collect();
    faults.extend(ports.iter().filter_map(|port| missing(port, listening)));
    faults
}

fn unwanted(ports: &[&PortCheck], socket: &Socket) -> Option<Fault> {
    let rules: Vec<_> = ports.iter().filter(|p| matches(p, socket)).collect();
    let reason = if rules.is_empty() {
        "nobody declares this port"
    } else if rules.iter().all(|rule| rule.reach == "loopback") && !socket.is_loopback() {
        "declared for loopback only"
    } else {
        return None;
    };
    let protocol = socket.protocol.name().to_owned();
    Some(Fault { protocol, port: socket.port, reason, socket: Some(socket.clone()) })
}

fn missing(port: &PortCheck, listening: &[Socket]) -> Option<Fault> {
    let public = match port.reach.as_str() {
        "public" => true,
        "loopback" => false,
        _ => return None,
    };
    if port.protocol != Protocol::Tcp.name() {
        return None;
    }
    let mut found = listening.iter().filter(|socket| matches(port, socket)).peekable();
    let reason = if found.peek().is_none() {
        "declared, but nothing listens"
    } else if public && found.all(Socket::is_loopback) {
        "declared public, but listens on loopback only"
    } else {
        return None;
    };
    Some(Fault { protocol: port.protocol.clone(), port: port.port, reason, socket: None })
}

fn matches(port: &PortCheck, socket: &Socket) -> bool {
    port.port == socket.port && port.protocol == socket.protocol.name()
}

#[cfg(test)]
mod tests {
    use borg_config::ServiceCheck;

    use super::*;

    fn declared(ports: &[(&str, u16, &str)]) -> BootCheck {
        let port = |&(protocol, port, reach): &(&str, u16, &str)| PortCheck {
            port,
            protocol: protocol.into(),
            reach: reach.into(),
        };
        let service = ServiceCheck { name: "s".into(), health: vec![], ports: ports.iter().map(port).collect() };
        BootCheck { services: vec![service] }
    }

    fn socket(protocol: Protocol, address: &str, port: u16) -> Socket {
        Socket { protocol, address: address.parse().unwrap(), port, inode: 1 }
    }

    fn faults(ports: &[(&str, u16, &str)], listening: &[Socket]) -> Vec<String> {
        compare(&declared(ports), listening)
            .iter()
            .map(|f| format!("{} {}: {}", f.protocol, f.port, f.reason))
            .collect()
    }

    #[test]
    fn what_is_declared_may_listen() {
        let ports = [("tcp", 80, "public"), ("tcp", 7300, "loopback"), ("udp", 68, "client"), ("udp", 546, "client")];
        let listening = [
            socket(Protocol::Tcp, "0.0.0.0", 80),
            socket(Protocol::Tcp, "::", 80),
            socket(Protocol::Tcp, "127.0.0.1", 7300),
            socket(Protocol::Udp, "10.0.2.15", 68),
        ];
        assert_eq!(faults(&ports, &listening), [""; 0]);
    }

    #[test]
    fn what_is_not_declared_may_not() {
        let ports = [("tcp", 7300, "loopback"), ("udp", 22, "public")];
        let listening = [
            socket(Protocol::Tcp, "127.0.0.1", 7300),
            socket(Protocol::Tcp, "::", 7300),
            socket(Protocol::Tcp, "0.0.0.0", 22),
        ];
        let expected = ["tcp 7300: declared for loopback only", "tcp 22: nobody declares this port"];
        assert_eq!(faults(&ports, &listening), expected);
    }

    #[test]
    fn what_is_declared_must_listen_and_be_reachable() {
        let ports = [("tcp", 80, "public"), ("tcp", 443, "public"), ("udp", 123, "public")];
        let listening = [socket(Protocol::Tcp, "127.0.0.1", 443)];
        let expected =
            ["tcp 80: declared, but nothing listens", "tcp 443: declared public, but listens on loopback only"];
        assert_eq!(faults(&ports, &listening), expected);
    }
}
