//! Addresses and names of the network.

use std::net::IpAddr;

use super::node::{Faults, Node};

pub fn check(profile: &Node<'_>, faults: &mut Faults<'_>) {
    let Some(network) = profile.get("network") else { return };
    for (node, address) in network.texts("addresses") {
        if !is_cidr(address) {
            faults.at(
                &node,
                "not an address with a prefix length",
                "this address",
                "write it as `192.168.1.10/24` or `2001:db8::10/64`",
            );
        }
    }
    if let Some((node, gateway)) = network.text("gateway")
        && gateway.parse::<IpAddr>().is_err()
    {
        faults.at(
            &node,
            "the gateway is not an IP address",
            "this address",
            "write it as `192.168.1.1` or `2001:db8::1`",
        );
    }
    for (node, server) in network.texts("dns") {
        if server.parse::<IpAddr>().is_err() {
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

/// Without DHCP somebody has to say the address.
fn unreachable(network: &Node<'_>, faults: &mut Faults<'_>) {
    let Some(node) = network.get("gateway") else { return };
    let has_addresses =
        network.get("addresses").is_some_and(|list| list.value.as_array().is_some_and(|l| !l.is_empty()));
    let no_dhcp = network.get("dhcp").is_some_and(|dhcp| dhcp.value == &serde_json::Value::Bool(false));
    if no_dhcp && !has_addresses {
        faults.at(
            &node,
            "a gateway without an address",
            "nothing can reach it",
            "add `addresses:`, or remove `dhcp: false`",
        );
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let digits = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|b| b.is_ascii_digit());
    let Ok(length) = prefix.parse::<u8>() else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    digits && length <= most
}

/// RFC 1123: labels of letters, digits and `-`, no `-` at their ends.
pub fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["10.0.0.1/8", "2001:db8::1/64", "0.0.0.0/0"] {
            assert!(is_cidr(good), "{good}");
        }
        for bad in ["10.0.0.1", "10.0.0.1/33", "10.0.0/8", "::1/129", "10.0.0.1/+8", "10.0.0.1/", "a/8", "10.0.0.1/8/8"]
        {
            assert!(!is_cidr(bad), "{bad}");
        }
        assert!(
            is_host_name("0.debian.pool.ntp.org")
                && !is_host_name("-a")
                && !is_host_name("a..b")
                && !is_host_name("$(x)")
        );
    }
}
