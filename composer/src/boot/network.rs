//! The guest's network: QEMU's user-mode network, shaped so that the profile's own addresses work in it.

use std::fmt::Write;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::spec::ImageSpec;
use crate::spec::types::NetworkSpec;

/// A port of the guest and where it is reached on the loopback address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    pub host: u16,
    pub guest: u16,
}

/// The guest's one network card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub forwards: Vec<Forward>,
    /// A guest that does not ask by DHCP: its address.
    pub fixed: Option<Fixed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    pub address: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Option<Ipv4Addr>,
}

impl Fixed {
    /// The address of a profile without DHCP.
    pub fn of(spec: &ImageSpec) -> Option<Self> {
        Self::of_network(&spec.network)
    }

    fn of_network(network: &NetworkSpec) -> Option<Self> {
        if network.dhcp {
            return None;
        }
        let parse = |text: &String| {
            let (address, prefix) = text.split_once('/')?;
            Some((address.parse().ok()?, prefix.parse::<u8>().ok().filter(|p| (1..=28).contains(p))?))
        };
        let (address, prefix) = network.addresses.iter().find_map(parse)?;
        Some(Fixed { address, prefix, gateway: network.gateway.as_deref().and_then(|g| g.parse().ok()) })
    }

    /// The subnet with the other ends that QEMU plays there: the gateway, and a name server that is none of the others.
    fn option(&self) -> String {
        let mask = u32::MAX << (32 - u32::from(self.prefix.clamp(1, 28)));
        let subnet = self.address.to_bits() & mask;
        let mut free =
            (1..).map(|i| Ipv4Addr::from_bits(subnet | i)).filter(|a| *a != self.address && Some(*a) != self.gateway);
        let mut next = || free.next().unwrap_or(self.address);
        let inside = self.gateway.filter(|g| g.to_bits() & mask == subnet && *g != self.address);
        let host = inside.unwrap_or_else(&mut next);
        let (dns, dhcp) = (next(), next());
        format!(",net={}/{},host={host},dns={dns},dhcpstart={dhcp}", Ipv4Addr::from_bits(subnet), self.prefix)
    }
}

impl Network {
    /// The value of `-netdev`.
    pub fn netdev(&self) -> String {
        let mut value = "user,id=net0".to_owned();
        let mut guest = String::new();
        if let Some(fixed) = &self.fixed {
            value += &fixed.option();
            guest = fixed.address.to_string();
        }
        for forward in &self.forwards {
            let _ = write!(value, ",hostfwd=tcp:127.0.0.1:{}-{guest}:{}", forward.host, forward.guest);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(dhcp: bool, address: &str, gateway: Option<&str>) -> NetworkSpec {
        NetworkSpec {
            dhcp,
            addresses: vec!["fd00::2/64".into(), address.into()],
            gateway: gateway.map(str::to_owned),
            dns: Vec::new(),
            time: Vec::new(),
        }
    }

    fn netdev(spec: &NetworkSpec) -> String {
        let forwards = vec![Forward { host: 20_000, guest: 80 }];
        Network { forwards, fixed: Fixed::of_network(spec) }.netdev()
    }

    #[test]
    fn a_guest_with_dhcp_gets_the_usual_network() {
        assert_eq!(netdev(&spec(true, "10.1.2.3/24", None)), "user,id=net0,hostfwd=tcp:127.0.0.1:20000-:80");
    }

    #[test]
    fn a_fixed_address_is_reached_where_it_is() {
        insta::assert_snapshot!(netdev(&spec(false, "192.168.7.1/24", Some("192.168.7.2"))), @"user,id=net0,net=192.168.7.0/24,host=192.168.7.2,dns=192.168.7.3,dhcpstart=192.168.7.4,hostfwd=tcp:127.0.0.1:20000-192.168.7.1:80");
        insta::assert_snapshot!(netdev(&spec(false, "10.9.8.7/8", None)), @"user,id=net0,net=10.0.0.0/8,host=10.0.0.1,dns=10.0.0.2,dhcpstart=10.0.0.3,hostfwd=tcp:127.0.0.1:20000-10.9.8.7:80");
    }
}
