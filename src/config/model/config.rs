//! The whole configuration, and the settings of the service itself.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::connector::Connector;
use super::host_name::HostName;
use super::listener::Listener;
use super::public_url::PublicUrl;
use super::route::Route;

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
    /// Who may connect, unless a route says otherwise.
    pub access: Access,
    /// The log.
    pub log: Log,
    /// How many connections clients may have.
    pub max_connections: MaxConnections,
    /// How long a client may keep a connection without asking for anything.
    pub keep_alive: Duration,
    /// How long running requests may go on after the first stop signal.
    pub shutdown_grace: Duration,
}

/// Whose requests are looked at; from which networks they may come is for each route to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Whether web pages may send requests.
    pub browsers: Browsers,
    /// What clients may call us, in addition to what is known anyway.
    pub hosts: Vec<HostName>,
}

/// Whether web pages may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browsers {
    /// Requests of web pages are rejected.
    Deny,
    /// Requests of web pages are forwarded like all others.
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
    /// The format of a log line.
    pub format: LogFormat,
    /// The least severe level that is logged.
    pub level: tracing::Level,
    /// One line per request.
    pub requests: bool,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For programs: one JSON object per line.
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
