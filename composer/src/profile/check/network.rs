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
        && !gateway.parse::<IpAddr>().is_ok_and(|ip| !ip.is_unspecified() && !ip.is_multicast())
    {
        faults.at(
            &node,
            "the gateway is not the IP address of a machine",
            "this address",
            "write it as `192.168.1.1` or `2001:db8::1`",
        );
    }
    for (node, server) in network.texts("dns") {
        if !server.parse::<IpAddr>().is_ok_and(|ip| !ip.is_unspecified() && !ip.is_multicast()) {
            faults.at(
                &node,
                "a DNS server is given by its IP address",
                "not an IP address",
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
        faults.duplicates("the entry", entries.iter().map(|(node, text)| (node, *text)));
    }
    unreachable(&network, faults);
}

/// Without DHCP somebody has to say the address, and one from which the gateway can be reached.
fn unreachable(network: &Node<'_>, faults: &mut Faults<'_>) {
    let Some((node, gateway)) = network.text("gateway") else { return };
    let addresses = network.texts("addresses");
    let no_dhcp = network.get("dhcp").is_some_and(|dhcp| dhcp.value == &serde_json::Value::Bool(false));
    let Some(gateway) = gateway.parse().ok().filter(|_| no_dhcp) else { return };
    // systemd-networkd reaches an IPv6 gateway by its link-local address from any network.
    let local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if addresses.is_empty() {
        let help = "add `addresses:`, or remove `dhcp: false`";
        faults.at(&node, "a gateway without an address", "nothing can reach it", help);
    } else if !local && !addresses.iter().any(|(_, address)| reaches(address, gateway)) {
        let help = "give an address in the gateway's network, or the gateway's address in this one";
        faults.at(&node, "a gateway that none of the addresses reaches", "in another network", help);
    }
}

/// What is wrong with an address of the machine, if anything.
fn address_fault(text: &str) -> Option<&'static str> {
    let (address, length) = cidr(text)?;
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Some("no address of a network port");
    }
    // RFC 3021: a /31 has no address of its own for network and broadcast.
    if let (IpAddr::V4(v4), 1..=30) = (address, length) {
        let host = u32::from(v4) & (u32::MAX >> length);
        if host == 0 || host == u32::MAX >> length {
            return Some("the address of the network, or of its broadcasts");
        }
    }
    (length == 0).then_some("a prefix length that no network has")
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
