//! The address of an outbound proxy.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::{Authority, Scheme};

/// Host and port of an outbound proxy, written as an `http` URL without user name and path. The default port is 80.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyAddress(Authority);

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
    /// `http://host:port/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.0)
    }

    /// [`url`](Self::url), parsed.
    pub fn uri(&self) -> Uri {
        // A scheme, an authority and a path always make a URI.
        Uri::builder().scheme(Scheme::HTTP).authority(self.0.clone()).path_and_query("/").build().unwrap_or_default()
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.0.host().trim_matches(['[', ']'])
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(80)
    }
}

impl FromStr for ProxyAddress {
    type Err = ProxyAddressError;

    fn from_str(text: &str) -> Result<Self, ProxyAddressError> {
        // Checked first: a password may hold characters that are not valid in a URL.
        if text.contains('@') {
            return Err(ProxyAddressError::UserInfo);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| !scheme.eq_ignore_ascii_case("http")) {
            return Err(ProxyAddressError::OtherScheme);
        }
        let uri: Uri = text.parse().map_err(|_| ProxyAddressError::Malformed)?;
        let (Some(_), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(ProxyAddressError::Malformed);
        };
        // Only a port may follow the host.
        let is_whole = authority.port_u16().is_some() || authority.as_str().len() == authority.host().len();
        if authority.host().is_empty() || !is_whole {
            return Err(ProxyAddressError::Malformed);
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('#') {
            return Err(ProxyAddressError::Path);
        }
        Ok(Self(authority.clone()))
    }
}

impl fmt::Display for ProxyAddress {
    /// `host:port`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.host(), self.port())
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
