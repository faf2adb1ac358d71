//! The outbound proxy settings of a connector: the proxy's address, the credentials for it, and who bypasses it.

use std::fmt;
use std::str::FromStr;

use super::origin::{Origin, OriginError};
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

/// Host and port of an outbound proxy, written as an `http` URL without user name and path. The default port is 80.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyAddress(Origin);

/// Why a text is not a [`ProxyAddress`]. The message repeats nothing of the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyAddressError {
    /// Not a URL with a host and a valid port.
    #[error("write it as http://host:port, such as http://proxy.contoso.local:3128")]
    Malformed,
    /// Another scheme than `http`.
    #[error(
        "bcproxy speaks plain HTTP to an outbound proxy, and TLS through it. Write the address as http://host:port; \
         if the proxy has no such port, ask its administrator for one"
    )]
    OtherScheme,
    /// A user name or password in the URL.
    #[error(
        "user name and password do not belong in the address; write them next to it: \
         outbound_proxy: {{ url: http://host:port, user: NAME, password: {{ env: PROXY_PASSWORD }} }}"
    )]
    UserInfo,
    /// A path, query or fragment after the port.
    #[error("remove everything after host and port")]
    Path,
}

impl ProxyAddress {
    /// The address as an `http` URL without a path.
    pub fn origin(&self) -> &Origin {
        &self.0
    }
}

impl FromStr for ProxyAddress {
    type Err = ProxyAddressError;

    fn from_str(text: &str) -> Result<Self, ProxyAddressError> {
        // Checked first: a password may hold characters that end a host.
        if text.contains('@') {
            return Err(ProxyAddressError::UserInfo);
        }
        let (origin, rest) = Origin::split(text).map_err(|error| match error {
            OriginError::OtherScheme => ProxyAddressError::OtherScheme,
            OriginError::Malformed | OriginError::Port | OriginError::UserInfo => ProxyAddressError::Malformed,
        })?;
        match (origin.scheme(), rest) {
            ("http", "" | "/") => Ok(Self(origin)),
            ("http", _) => Err(ProxyAddressError::Path),
            _ => Err(ProxyAddressError::OtherScheme),
        }
    }
}

impl fmt::Display for ProxyAddress {
    /// `host:port`, the default port written out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.host_and_port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_consists_of_host_and_port_only() {
        for (text, shown) in [
            ("http://proxy.corp:3128", "proxy.corp:3128"),
            ("HTTP://proxy.corp/", "proxy.corp:80"),
            ("http://[fd00::1]:8080", "[fd00::1]:8080"),
        ] {
            assert_eq!(text.parse::<ProxyAddress>().unwrap().to_string(), shown);
        }
        for (text, error) in [
            ("proxy.corp:3128", ProxyAddressError::Malformed),
            ("proxy", ProxyAddressError::Malformed),
            ("", ProxyAddressError::Malformed),
            ("http://proxy:99999", ProxyAddressError::Malformed),
            ("https://proxy.corp:3128", ProxyAddressError::OtherScheme),
            ("socks5://proxy.corp", ProxyAddressError::OtherScheme),
            ("http://a:hunter2@proxy.corp", ProxyAddressError::UserInfo),
            ("a:hun#ter?2@proxy.corp", ProxyAddressError::UserInfo),
            ("http://proxy.corp/pac", ProxyAddressError::Path),
            ("http://proxy.corp?a", ProxyAddressError::Path),
        ] {
            assert_eq!(text.parse::<ProxyAddress>(), Err(error), "{text}");
        }
    }
}
