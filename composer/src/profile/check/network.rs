//! Addresses and names of the network.

use std::net::IpAddr;

use super::node::{Faults, Node};

pub fn check(profile: &Node<'_>, faults: &mut Faults<'_>) {
    let Some(network) = profile.get("network") else { return };
    for (node, address) in network.texts("addresses") {
        let why = cidr(address).map_or(Some("not an address with a prefix length"), |_| address_fault(address));
        if let Some(why) = why {
            faults.at(&node, why, "this address", "write it as `192.168.1.10/24` or `2001:db8::10/64`");
        }
    }
    if let Some((node, gateway)) = network.text("gateway")
        && !gateway.parse::<IpAddr>().is_ok_and(|ip| is_machine(ip) && !ip.is_loopback())
    {
        faults.at(
            &node,
            "the gateway is not the IP address of a machine",
            "this address",
            "write it as `192.168.1.1` or `2001:db8::1`",
        );
    }
    for (node, server) in network.texts("dns") {
        if !server.parse::<IpAddr>().is_ok_and(is_machine) {
            faults.at(
                &node,
                "a DNS server is given by its IP address",
                "not the IP address of a machine",
                "write it as `9.9.9.9` or `2620:fe::fe`",
            );
        }
    }
    for (node, server) in network.texts("time") {
        if server.parse::<IpAddr>().is_err() && !is_host_name(server) {
            faults.at(
                &node,
                "not a host name or IP address",
                "this time server",
                "write it as `0.debian.pool.ntp.org`",
            );
        }
    }
    for key in ["addresses", "dns", "time"] {
        let entries = network.texts(key);
        faults.duplicates("the entry", entries.iter().map(|(node, text)| (node, canonical(text))));
    }
    unreachable(&network, faults);
}

/// One way of writing what has several: `2001:DB8:0::1/64` is `2001:db8::1/64`.
fn canonical(text: &str) -> String {
    match (cidr(text), text.parse::<IpAddr>()) {
        (Some((address, length)), _) => format!("{address}/{length}"),
        (None, Ok(address)) => address.to_string(),
        (None, Err(_)) => text.to_ascii_lowercase(),
    }
}

/// Whether an address can be that of one machine (RFC 6890).
fn is_machine(ip: IpAddr) -> bool {
    let reserved = matches!(ip, IpAddr::V4(v4) if matches!(v4.octets()[0], 0 | 240..));
    !ip.is_unspecified() && !ip.is_multicast() && !reserved
}

/// Without DHCP somebody has to say the address, and one from which the gateway can be reached.
fn unreachable(network: &Node<'_>, faults: &mut Faults<'_>) {
    let Some((node, gateway)) = network.text("gateway") else { return };
    let addresses = network.texts("addresses");
    let no_dhcp = network.get("dhcp").is_some_and(|dhcp| dhcp.value == &serde_json::Value::Bool(false));
    let Ok(gateway) = gateway.parse() else { return };
    // systemd-networkd reaches an IPv6 gateway by its link-local address from any network.
    let local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if addresses.is_empty() {
        // DHCP may give an address in the gateway's network.
        if !no_dhcp {
            return;
        }
        let help = "add `addresses:`, or remove `dhcp: false`";
        faults.at(&node, "a gateway without an address", "nothing can reach it", help);
    } else if !local && !addresses.iter().any(|(_, address)| reaches(address, gateway)) {
        let help = "give an address in the gateway's network, or the gateway's address in this one";
        faults.at(&node, "a gateway that none of the addresses reaches", "in another network", help);
    } else if addresses.iter().any(|(_, address)| cidr(address).is_some_and(|(own, _)| own == gateway)) {
        faults.at(&node, "the machine is its own gateway", "among its `addresses`", "give the router's address");
    } else if let Some(why) = addresses.iter().find_map(|(_, address)| edge_of(address, gateway)) {
        faults.at(&node, format!("the gateway is {why}"), "this address", "give the router's address");
    }
}

/// What an address is to the network of another one, if it is no machine's.
fn edge_of(network: &str, other: IpAddr) -> Option<&'static str> {
    let (_, length) = cidr(network).filter(|_| reaches(network, other))?;
    edge(other, length)
}

/// RFC 3021: a /31 has no address of its own for network and broadcast.
fn edge(address: IpAddr, length: u32) -> Option<&'static str> {
    let (IpAddr::V4(v4), 1..=30) = (address, length) else { return None };
    let host = u32::from(v4) & (u32::MAX >> length);
    (host == 0 || host == u32::MAX >> length).then_some("the address of the network, or of its broadcasts")
}

/// What is wrong with an address of the machine, if anything.
fn address_fault(text: &str) -> Option<&'static str> {
    let (address, length) = cidr(text)?;
    if !is_machine(address) || address.is_loopback() {
        return Some("no address of a network port");
    }
    edge(address, length).or((length == 0).then_some("a prefix length that no network has"))
}

/// An address and its prefix length, without leading zeros, which some programs read as octal.
fn cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = text.split_once('/')?;
    let plain = prefix.bytes().all(|b| b.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
    let address: IpAddr = address.parse().ok()?;
    let length: u32 = prefix.parse().ok().filter(|_| plain)?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}

/// Whether an address is in the network that another one with its prefix length is in.
fn reaches(network: &str, other: IpAddr) -> bool {
    match (cidr(network), other) {
        (Some((IpAddr::V4(own), length)), IpAddr::V4(other)) => {
            (u32::from(own) ^ u32::from(other)).leading_zeros() >= length
        }
        (Some((IpAddr::V6(own), length)), IpAddr::V6(other)) => {
            (u128::from(own) ^ u128::from(other)).leading_zeros() >= length
        }
        _ => false,
    }
}

/// RFC 1123: labels of letters, digits and `-`, no `-` at their ends, the last one no number.
pub fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends in a number is an IP address or a mistyped one (RFC 3696, 2).
    let number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label) && !number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let sound = |text: &str| cidr(text).is_some() && address_fault(text).is_none();
        for good in ["10.0.0.1/8", "2001:db8::1/64", "10.0.0.0/31", "192.168.1.7/32"] {
            assert!(sound(good), "{good}");
        }
        for bad in [
            "10.0.0.1",
            "10.0.0.1/33",
            "10.0.0/8",
            "::1/129",
            "10.0.0.1/+8",
            "10.0.0.1/",
            "a/8",
            "10.0.0.1/8/8",
            "10.0.0.1/08",
            "10.0.0.0/8",
            "10.255.255.255/8",
            "0.0.0.0/0",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "::1/128",
        ] {
            assert!(!sound(bad), "{bad}");
        }
        assert!(!is_machine("255.255.255.255".parse().unwrap()) && !is_machine("0.1.2.3".parse().unwrap()));
        assert_eq!(canonical("2001:DB8:0::1/64"), canonical("2001:db8::1/64"));
        assert!(edge_of("10.1.0.2/16", "10.1.255.255".parse().unwrap()).is_some());
        assert_eq!(edge_of("10.1.0.2/16", "10.1.0.255".parse().unwrap()), None);
        let gateway = |ip: &str| reaches("192.168.1.2/24", ip.parse().unwrap());
        assert!(gateway("192.168.1.254") && !gateway("10.0.0.1") && !gateway("fe80::1"));
        assert!(
            is_host_name("0.debian.pool.ntp.org")
                && !is_host_name("-a")
                && !is_host_name("a..b")
                && !is_host_name("$(x)")
                && !is_host_name("999.1.1.1")
        );
    }
}
