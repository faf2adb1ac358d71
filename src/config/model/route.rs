//! A route: where it leads, which clients may use it, and which headers it changes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::{ClientAuth, Connector, RoutePath, Timeouts, Weight};
use crate::business_central::{CompanyRef, EnvironmentName, Surface};

/// A local path prefix, its connector, and the Business Central surface it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The local path prefix.
    pub path: RoutePath,
    /// The connector.
    pub connector: Arc<Connector>,
    /// The surface of Business Central.
    pub surface: Surface,
    /// The environment of the route, or else of the connector.
    pub environment: EnvironmentName,
    /// The company of the route, or else of the connector. Always `None` for [`Surface::Environment`].
    pub company: Option<CompanyRef>,
    /// Whether a confined [`Surface::Nav`] route reaches the automation API, which concerns all companies.
    pub automation: bool,
    /// Whether clients may only read.
    pub read_only: bool,
    /// The methods that clients may use. `None`: every method that Business Central supports.
    pub methods: Option<Vec<Method>>,
    /// The networks that clients may connect from.
    pub allow_from: AllowFrom,
    /// How clients prove who they are. `None`: as the listener says.
    pub client_auth: Option<ClientAuth>,
    /// Whether `If-Match: *` is added to changes that lack `If-Match`.
    pub if_match_any: bool,
    /// Headers to change in requests and responses.
    pub headers: HeaderRules,
    /// How many permits each client of the route gets in a round of the queue.
    pub weight: Weight,
    /// How long the response to a read is reused. `None`: never.
    pub cache: Option<Duration>,
    /// The timeouts of the connector, overridden by those of the route.
    pub timeouts: Timeouts,
}

impl Route {
    /// Where it leads, in words: surface, connector, environment and company.
    pub fn target(&self) -> String {
        let company = match (&self.company, &self.surface) {
            (_, Surface::Environment) => String::new(),
            (Some(company), _) => format!(", company {company}"),
            (None, _) => ", company named by the client".to_owned(),
        };
        format!("{}, connector {}, environment {}{company}", self.surface, self.connector.name, self.environment)
    }
}

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

/// The headers that a route changes in both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Changes to requests before they go to Business Central.
    pub request: HeaderChanges,
    /// Changes to responses before they go to the client.
    pub response: HeaderChanges,
}

/// The headers to change in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Headers to set, in the order of the file. Existing values are replaced.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Headers to remove.
    pub remove: Vec<HeaderName>,
}

impl HeaderChanges {
    /// Removes headers first and sets headers afterwards. A header in both lists is set.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
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

    #[test]
    fn a_header_that_is_set_occurs_once() {
        let (name, other) = (HeaderName::from_static("x-a"), HeaderName::from_static("x-b"));
        let mut headers = HeaderMap::new();
        headers.append(&name, HeaderValue::from_static("1"));
        headers.append(&name, HeaderValue::from_static("2"));
        headers.append(&other, HeaderValue::from_static("3"));
        let set = vec![(name.clone(), HeaderValue::from_static("4"))];
        HeaderChanges { set, remove: vec![name, other] }.apply(&mut headers);
        assert_eq!(headers.iter().collect::<Vec<_>>().len(), 1);
        assert_eq!(headers["x-a"], "4");
    }
}
