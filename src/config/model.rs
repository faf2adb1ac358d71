//! The typed configuration the rest of the house works with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use ipnet::IpNet;

use super::header_rules::HeaderRules;
use super::host_name::HostName;
use super::limits::Limits;
use super::listeners::Listener;
use super::public_url::PublicUrl;
use crate::business_central::{CompanyRef, EnvironmentName, Surface};
use crate::entra::Application;
use crate::https_url::HttpsUrl;
use crate::outbound::OutboundProxy;

/// A whole `proxy.yaml`, checked: every name resolves, every value is in its bounds.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where legacy programs come in. Never empty.
    pub listen: Vec<Listener>,
    /// What local addresses in answers begin with; `None`: what the client used.
    pub public_url: Option<PublicUrl>,
    /// Where health is served; `None` when turned off.
    pub admin: Option<SocketAddr>,
    /// In the order of the file. Never empty.
    pub connectors: Vec<Arc<Connector>>,
    /// In the order of the file. Never empty; no two have the same path.
    pub routes: Vec<Route>,
    pub access: Access,
    pub log: Log,
    pub max_connections: MaxConnections,
    /// How long a client may keep a connection without asking for anything.
    pub keep_alive: Duration,
    /// How long running requests may go on after the first stop signal.
    pub shutdown_grace: Duration,
}

/// One Business Central connection: the "Connector Settings" of the set-up guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// The key below `connectors:`.
    pub name: String,
    pub application: Application,
    /// More of them, which share its work on api and OData routes; all in one tenant.
    pub other_applications: Vec<Application>,
    pub environment: EnvironmentName,
    /// `None`: the client names it in each request.
    pub company: Option<CompanyRef>,
    /// What clients of `nav` routes call a company, and which one that is.
    pub companies: BTreeMap<String, CompanyRef>,
    /// Where Business Central is: `https://api.businesscentral.dynamics.com`.
    pub base_url: HttpsUrl,
    /// What its application may ask of one environment; `None`: whatever comes.
    pub limits: Option<Limits>,
    pub timeouts: Timeouts,
    /// PEM certificates trusted in addition to the platform's.
    pub ca_file: Option<PathBuf>,
    /// How its connections leave this machine.
    pub outbound_proxy: OutboundProxy,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS together.
    pub connect: Duration,
    /// From the request's last byte to the answer's head.
    pub head: Duration,
    /// Between two pieces of a body.
    pub body_idle: Duration,
    /// How long an unused upstream connection is kept.
    pub pool_idle: Duration,
    /// One token request, all of it.
    pub token: Duration,
}

impl Default for Timeouts {
    /// Business Central works on a request for up to ten minutes before its gateway gives up; ours is a little more patient.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(630),
            body_idle: Duration::from_secs(630),
            pool_idle: Duration::from_secs(90),
            token: Duration::from_secs(10),
        }
    }
}

/// A local path prefix, the connector it uses and the Business Central surface it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub path: RoutePath,
    pub connector: Arc<Connector>,
    pub surface: Surface,
    /// The route's own or the connector's.
    pub environment: EnvironmentName,
    /// The route's own or the connector's; always `None` for [`Surface::Environment`].
    pub company: Option<CompanyRef>,
    /// `None`: every method Business Central knows.
    pub methods: Option<Vec<Method>>,
    pub allow_from: AllowFrom,
    /// Whether a change that names no version is sent with `If-Match: *`.
    pub changes_any_version: bool,
    pub headers: HeaderRules,
    /// How long an answer to a read is given again; `None`: not at all.
    pub cache: Option<Duration>,
    /// The connector's, overridden by the route's own.
    pub timeouts: Timeouts,
}

/// A local path prefix: empty for `/`, otherwise starting with a slash and not ending in one.
///
/// Plain segments only (letters, digits, `-`, `.`, `_`, `~`; none `.` or `..`), so that it can be compared with a raw path byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoutePath(String);

/// Why a text is no [`RoutePath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoutePathError {
    #[error("begin it with a slash, such as /api")]
    NoSlash,
    #[error(
        "a path holds letters, digits, `-`, `.`, `_` and `~` between single slashes, such as /erp/api; no address and no `..`"
    )]
    NotPlain,
    #[error("choose another path: below {UNROUTED}, bcproxy answers for addresses that no route covers")]
    Reserved,
}

/// The local prefix of addresses no route covers. It is nobody's route.
pub const UNROUTED: &str = "/unrouted";

/// The networks a client may come from. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowFrom(Vec<IpNet>);

/// Whose requests are looked at; from which networks they may come is for each route to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub browsers: Browsers,
    /// What clients may call us, in addition to what is known anyway.
    pub hosts: Vec<HostName>,
}

/// Whether web pages may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browsers {
    Deny,
    Allow,
}

/// How many connections clients may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxConnections {
    /// All together.
    pub total: usize,
    /// Each address.
    pub per_client: usize,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    pub level: tracing::Level,
    /// One line per request.
    pub requests: bool,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

impl Config {
    /// The files whose content belongs to the configuration: the one it was read from, and the certificates that names.
    pub fn files(&self, own: &Path) -> Vec<PathBuf> {
        let trusted = self.connectors.iter().filter_map(|connector| connector.ca_file.clone());
        let shown = self.listen.iter().filter_map(|listener| listener.tls.clone());
        let shown = shown.flat_map(|tls| [tls.certificate, tls.private_key]);
        let files: BTreeSet<PathBuf> = trusted.chain(shown).chain([own.to_owned()]).collect();
        files.into_iter().collect()
    }
}

impl Connector {
    /// All its applications, in the order of the file.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        std::iter::once(&self.application).chain(&self.other_applications)
    }
}

impl RoutePath {
    /// The prefix as it is matched: empty for `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoutePath {
    type Err = RoutePathError;

    /// One slash at the end is dropped: `/api/` is `/api`, `/` is empty.
    fn from_str(text: &str) -> Result<Self, RoutePathError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        if path.is_empty() && !text.is_empty() {
            return Ok(Self(String::new()));
        }
        let segments = path.strip_prefix('/').ok_or(RoutePathError::NoSlash)?;
        let is_plain = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if !segments.split('/').all(is_plain) {
            return Err(RoutePathError::NotPlain);
        }
        let is_reserved = path.strip_prefix(UNROUTED).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if is_reserved { Err(RoutePathError::Reserved) } else { Ok(Self(path.to_owned())) }
    }
}

impl AllowFrom {
    /// Programs on this machine only: 127.0.0.0/8 and ::1.
    pub fn loopback() -> Self {
        let v4 = IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
        let v6 = IpNet::from(IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
        Self(vec![v4, v6])
    }

    /// `None` when the list is empty: it would let nobody in.
    pub fn new(networks: Vec<IpNet>) -> Option<Self> {
        (!networks.is_empty()).then_some(Self(networks))
    }

    /// Whether a client at this address may come in; an IPv4 client on an IPv6 socket counts as IPv4.
    pub fn contains(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.0.iter().any(|network| network.contains(&client))
    }
}

impl fmt::Display for RoutePath {
    /// As it stands in the file: `/` for the empty prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_path_has_plain_segments_only() {
        let parse = |text: &str| text.parse::<RoutePath>().map(|path| path.as_str().to_owned());
        for (text, path) in [("/", ""), ("/api", "/api"), ("/api/", "/api"), ("/a/b-1.0_~", "/a/b-1.0_~")] {
            assert_eq!(parse(text).as_deref(), Ok(path));
        }
        for text in ["/unrouted", "/unrouted/", "/unrouted/x"] {
            assert_eq!(parse(text), Err(RoutePathError::Reserved), "{text}");
        }
        assert!(parse("/unrouted2").is_ok());
        for text in ["", "api", "https://host/api"] {
            assert_eq!(parse(text), Err(RoutePathError::NoSlash), "{text}");
        }
        for text in ["//", "/a//b", "/a/../b", "/./a", "/a b", "/%41", "/a?b", "/ü", "/api//"] {
            assert_eq!(parse(text), Err(RoutePathError::NotPlain), "{text}");
        }
    }

    #[test]
    fn an_ipv4_client_on_an_ipv6_socket_counts_as_ipv4() {
        let loopback = AllowFrom::loopback();
        assert!(loopback.contains("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!loopback.contains("192.0.2.1".parse().unwrap()));
        assert_eq!(AllowFrom::new(Vec::new()), None);
    }
}
