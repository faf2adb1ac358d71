//! The address of an outbound proxy.

use std::fmt;
use std::str::FromStr;

use super::origin::{Origin, OriginError};

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
