//! The whole configuration, the listeners, and the settings of the service itself.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::Scheme;

use super::{Admin, AllowFrom, Client, ClientAuth, Connector, HostName, Log, Otlp, Route, SharedLimits};
use crate::outbound::Origin;
use crate::secret::SecretSource;

/// A valid `proxy.yaml`: every name resolves, and every value is within its bounds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The addresses that clients connect to. Never empty.
    pub listen: Vec<Listener>,
    /// The base of rewritten links. `None`: the scheme and host that the client used.
    pub public_url: Option<Origin>,
    /// The admin listener. `None` when it is off.
    pub admin: Option<Admin>,
    /// The connectors in the order of the file. Never empty.
    pub connectors: Vec<Arc<Connector>>,
    /// The routes in the order of the file. Never empty. No two have the same path.
    pub routes: Vec<Route>,
    /// Which browsers and host names are accepted.
    pub access: Access,
    /// The file of users.
    pub users: Option<PathBuf>,
    /// The clients that are known by name, in the order of the file.
    pub clients: Vec<Arc<Client>>,
    /// What is logged, where, and in which format.
    pub log: Log,
    /// The collector that gets traces, metrics and logs.
    pub otlp: Option<Otlp>,
    /// Where replicas share Business Central's limits. `None`: this is the only replica.
    pub shared_limits: Option<SharedLimits>,
    /// How many client connections may be open.
    pub max_connections: MaxConnections,
    /// The memory that clients may make bcproxy hold, in bytes.
    pub max_memory: u64,
    /// Where large request bodies wait until they are complete. `None`: in memory.
    pub spool: Option<Spool>,
    /// How long an idle client connection stays open.
    pub keep_alive: Duration,
    /// How long running requests may continue after the first stop signal.
    pub shutdown_grace: Duration,
}

/// Which browsers and host names are accepted on every route. Each route has its own networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Whether web pages may call.
    pub browsers: Browsers,
    /// The host names in `access.hosts`, accepted in addition to bcproxy's own names.
    pub hosts: Vec<HostName>,
}

/// Whether web pages may call bcproxy from a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browsers {
    /// Requests that a web page sent are rejected.
    Deny,
    /// Requests that a web page sent are treated like any other.
    Allow,
}

/// How many client connections may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxConnections {
    /// Connections of all clients together, from 1 to 1,000,000.
    pub total: usize,
    /// Connections from one IP address, from 1 to 1,000,000.
    pub per_client: usize,
}

/// Where large request bodies wait until they are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// The folder for the files. `None`: one that suits.
    pub folder: Option<PathBuf>,
    /// The size in bytes up to which a body waits in memory.
    pub memory: u64,
    /// The size of all files together, in bytes.
    pub disk: u64,
}

impl Config {
    /// The files that make up the configuration: `own`, which it was read from, the certificates, the users, and the
    /// token of the admin listener.
    pub fn files(&self, own: &Path) -> Vec<PathBuf> {
        let trusted = self.connectors.iter().filter_map(|connector| connector.ca_file.clone());
        let trusted = trusted.chain(self.otlp.iter().filter_map(|otlp| otlp.ca_file.clone()));
        let admin = self.admin.iter().flat_map(|admin| &admin.listen);
        let shown = self.listen.iter().chain(admin).filter_map(|listener| listener.tls.clone());
        let shown = shown.flat_map(|tls| {
            [Some(tls.certificate), Some(tls.private_key), tls.client_ca, tls.client_crl].into_iter().flatten()
        });
        let token = self.admin.as_ref().and_then(|admin| admin.token.as_ref()).and_then(SecretSource::path);
        let others = self.users.clone().into_iter().chain(token).chain([own.to_owned()]);
        let files: BTreeSet<PathBuf> = trusted.chain(shown).chain(others).collect();
        files.into_iter().collect()
    }
}

/// An address that clients connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// IP address and port. Port 0 lets the operating system choose one.
    pub address: SocketAddr,
    /// The certificate for HTTPS. `None`: the listener serves HTTP.
    pub tls: Option<TlsFiles>,
    /// How clients prove who they are. `None`: not at all.
    pub client_auth: Option<ClientAuth>,
    /// The load balancers whose requests name their client in `X-Forwarded-For`.
    pub forwarded_for: Option<AllowFrom>,
    /// The load balancers whose connections begin with a PROXY protocol header.
    pub proxy_protocol: Option<AllowFrom>,
}

/// The PEM files of a server's certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by intermediate certificates.
    pub certificate: PathBuf,
    /// The private key, without a password.
    pub private_key: PathBuf,
    /// The authorities of the certificates of clients. `None`: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// The revocation lists of these authorities.
    pub client_crl: Option<PathBuf>,
}

impl Listener {
    /// The scheme of its URLs: `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// A listener for plain HTTP without further settings.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, client_auth: None, forwarded_for: None, proxy_protocol: None }
    }

    /// Whether only programs of this machine can reach it.
    pub fn is_on_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// Whether the socket must be IPv6-only because another listener uses the same port for IPv4.
    pub fn is_v6_only(&self, all: &[Self]) -> bool {
        let uses_ipv4 = |other: &Self| other.address.is_ipv4() && other.address.port() == self.address.port();
        self.address.is_ipv6() && self.address.port() != 0 && all.iter().any(uses_ipv4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_listener_leaves_ipv4_to_listeners_that_name_it() {
        let listener = |address: &str| Listener {
            address: address.parse().unwrap(),
            tls: None,
            client_auth: None,
            forwarded_for: None,
            proxy_protocol: None,
        };
        let all = [listener("[::]:80"), listener("0.0.0.0:80"), listener("[::]:81"), listener("127.0.0.1:82")];
        let only: Vec<bool> = all.iter().map(|one| one.is_v6_only(&all)).collect();
        assert_eq!(only, [true, false, false, false]);
    }
}
