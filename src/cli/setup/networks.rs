//! The networks of this machine's interfaces, and what people write for networks and addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// A network that this machine is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalNetwork {
    pub network: IpNet,
    /// The name of the interface, as the operating system shows it.
    pub interface: String,
    /// The addresses of this machine in the network. Never empty.
    pub addresses: Vec<IpAddr>,
}

/// Returns the networks of all interfaces, IPv4 first. Empty if the operating system does not list them.
pub fn of_this_machine() -> Vec<LocalNetwork> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    group(interfaces.into_iter().filter_map(|interface| {
        let prefix = match &interface.addr {
            if_addrs::IfAddr::V4(address) => address.prefixlen,
            if_addrs::IfAddr::V6(address) => address.prefixlen,
        };
        Some((interface.name.clone(), IpNet::new(interface.ip(), prefix).ok()?))
    }))
}

/// Groups interface addresses by network. Loopback and link-local addresses, and networks of one address, are left out.
fn group(addresses: impl Iterator<Item = (String, IpNet)>) -> Vec<LocalNetwork> {
    let mut networks: BTreeMap<IpNet, LocalNetwork> = BTreeMap::new();
    for (interface, own) in addresses.filter(|(_, own)| is_shared(*own)) {
        let new = || LocalNetwork { network: own.trunc(), interface, addresses: Vec::new() };
        networks.entry(own.trunc()).or_insert_with(new).addresses.push(own.addr());
    }
    networks.into_values().collect()
}

fn is_shared(own: IpNet) -> bool {
    let is_link_local = match own.addr() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !own.addr().is_loopback() && !is_link_local && own.prefix_len() < own.max_prefix_len()
}

/// A network, or one address, as somebody writes it. Bits of the host are cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

/// Why text is not a [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a network such as 192.168.1.0/24, or an address such as 192.168.1.20")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| single()).map(|network| Self(network.trunc())).map_err(|_| NetworkError)
    }
}

/// A port, or an address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    ip: Option<IpAddr>,
    port: u16,
}

/// Why text is not an [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a port such as 8080, or an address with a port such as 192.168.1.20:8080")]
pub struct EndpointError;

impl Endpoint {
    /// This port, on an address yet to be chosen.
    pub fn port(port: u16) -> Self {
        Self { ip: None, port }
    }

    /// The address to listen on, with `ip` where none was written.
    pub fn on(self, ip: IpAddr) -> SocketAddr {
        SocketAddr::new(self.ip.unwrap_or(ip), self.port)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Ok(port) = text.parse() {
            return Ok(Self::port(port));
        }
        let address: SocketAddr = text.parse().map_err(|_| EndpointError)?;
        Ok(Self { ip: Some(address.ip()), port: address.port() })
    }
}

/// The address on which clients from these networks reach this machine.
pub fn address_for(networks: &[IpNet]) -> IpAddr {
    match networks {
        [] => Ipv4Addr::LOCALHOST.into(),
        // On both Linux and Windows, this accepts IPv4, too.
        _ if networks.iter().any(|network| network.addr().is_ipv6()) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_interfaces_are_those_that_other_machines_can_be_in() {
        let all = [
            ("lo", "127.0.0.1/8"),
            ("lo", "::1/128"),
            ("eth0", "192.168.1.20/24"),
            ("eth0", "192.168.1.21/24"),
            ("eth0", "fe80::1/64"),
            ("eth0", "2001:db8::20/64"),
            ("eth1", "169.254.3.4/16"),
            ("tun0", "10.8.0.5/32"),
        ];
        let found = group(all.into_iter().map(|(name, own)| (name.to_owned(), own.parse().unwrap())));
        let found: Vec<(String, &str, usize)> = found
            .iter()
            .map(|local| (local.network.to_string(), local.interface.as_str(), local.addresses.len()))
            .collect();
        assert_eq!(found, [("192.168.1.0/24".to_owned(), "eth0", 2), ("2001:db8::/64".to_owned(), "eth0", 1)]);
    }

    #[test]
    fn what_people_write_is_understood() {
        assert_eq!("10.1.2.3/8".parse::<Network>().unwrap().0.to_string(), "10.0.0.0/8");
        assert_eq!("10.1.2.3".parse::<Network>().unwrap().0.to_string(), "10.1.2.3/32");
        assert_eq!("contoso".parse::<Network>(), Err(NetworkError));
        let on = |text: &str| text.parse::<Endpoint>().unwrap().on(Ipv4Addr::UNSPECIFIED.into()).to_string();
        assert_eq!((on("7047"), on("[::1]:80")), ("0.0.0.0:7047".to_owned(), "[::1]:80".to_owned()));
        for text in ["", "70470", "erp-gw:80", "10.0.0.1"] {
            assert_eq!(text.parse::<Endpoint>(), Err(EndpointError), "{text}");
        }
    }

    #[test]
    fn clients_of_either_protocol_reach_the_proposed_address() {
        let address = |networks: &[&str]| {
            address_for(&networks.iter().map(|network| network.parse().unwrap()).collect::<Vec<_>>()).to_string()
        };
        assert_eq!(address(&[]), "127.0.0.1");
        assert_eq!(address(&["10.0.0.0/8"]), "0.0.0.0");
        assert_eq!(address(&["10.0.0.0/8", "2001:db8::/64"]), "::");
    }
}
