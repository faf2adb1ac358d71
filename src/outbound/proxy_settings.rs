//! The outbound proxy settings of a connector.

use super::proxy_address::ProxyAddress;
use crate::secret::SecretSource;

/// The `outbound_proxy` setting of a connector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum OutboundProxy {
    /// The environment decides: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    #[default]
    FromEnvironment,
    /// Connections are direct, even if the environment names a proxy.
    Off,
    /// Connections go through this proxy.
    Server(ProxyServer),
}

/// A configured outbound proxy, and the hosts that bypass it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyServer {
    /// Host and port of the proxy.
    pub address: ProxyAddress,
    /// The credentials for the proxy, if it requires them.
    pub login: Option<ProxyLogin>,
    /// Hosts, domains and networks that bypass the proxy, as in `NO_PROXY`.
    pub except: Vec<String>,
}

/// Credentials for an outbound proxy (Basic, RFC 7617).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyLogin {
    /// The user name, such as `CONTOSO\svc`.
    pub user: String,
    /// Where the password is stored. It is read again for every connection, and before each token request and look-up.
    pub password: SecretSource,
}
