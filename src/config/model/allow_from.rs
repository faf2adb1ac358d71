//! The networks that clients may connect from.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// The networks that clients may connect from. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowFrom(Vec<IpNet>);

impl AllowFrom {
    /// This machine only: 127.0.0.0/8 and ::1.
    pub fn loopback() -> Self {
        let v4 = IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
        let v6 = IpNet::from(IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
        Self(vec![v4, v6])
    }

    /// Returns `None` for an empty list, which would reject every client. An IPv4 network written as an IPv6 one
    /// (`::ffff:10.0.0.0/104`) counts as IPv4, as its clients do.
    pub fn new(networks: Vec<IpNet>) -> Option<Self> {
        (!networks.is_empty()).then(|| Self(networks.into_iter().map(canonical).collect()))
    }

    /// Whether a client at this address may connect. An IPv4 client on an IPv6 socket counts as IPv4.
    pub fn contains(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.0.iter().any(|network| network.contains(&client))
    }
}

fn canonical(network: IpNet) -> IpNet {
    let prefix = network.prefix_len().checked_sub(128 - 32);
    match (network.addr().to_canonical(), prefix) {
        (address @ IpAddr::V4(_), Some(prefix)) => IpNet::new(address, prefix).unwrap_or(network),
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_client_on_an_ipv6_socket_counts_as_ipv4() {
        let loopback = AllowFrom::loopback();
        assert!(loopback.contains("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!loopback.contains("192.0.2.1".parse().unwrap()));
        assert_eq!(AllowFrom::new(Vec::new()), None);
        let one = |network: &str| AllowFrom::new(vec![network.parse().unwrap()]).unwrap();
        for client in ["::ffff:127.0.0.1", "127.0.0.1"].map(|client| client.parse().unwrap()) {
            assert!(one("::ffff:127.0.0.1/128").contains(client) && one("::ffff:127.0.0.0/104").contains(client));
            assert!(!one("::ffff:127.0.0.2/128").contains(client) && !one("fd00::/8").contains(client));
        }
        assert!(one("10.0.0.0/8").contains("10.1.2.3".parse().unwrap()));
    }
}
