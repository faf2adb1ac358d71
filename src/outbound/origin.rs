//! Scheme, host and port: what the addresses of services, of outbound proxies and of bcproxy itself begin with.

use std::fmt;
use std::net::Ipv6Addr;

use hyper::Uri;
use hyper::http::uri::Authority;

/// The origin of an `http` or `https` address (RFC 6454): `scheme://host[:port]`.
///
/// The host is in lower case, the port from 1 to 65535. The scheme's default port is left out, so that equal origins
/// are written alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    scheme_length: usize,
    /// The scheme's default if none was given.
    pub(crate) port: u16,
}

/// Why an address begins with no [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginError {
    /// Not of the form `scheme://host`.
    Malformed,
    /// Neither `http` nor `https`.
    OtherScheme,
    /// A user name or password before the host.
    UserInfo,
    /// The port is no number from 1 to 65535.
    Port,
}

impl Origin {
    /// The origin that an absolute address begins with, and the rest of the address.
    pub fn split(address: &str) -> Result<(Self, &str), OriginError> {
        let (scheme, rest) = address.split_once("://").ok_or(OriginError::Malformed)?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(OriginError::OtherScheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).ok_or(OriginError::Malformed)?;
        if authority.contains('@') {
            return Err(OriginError::UserInfo);
        }
        let authority: Authority = authority.to_ascii_lowercase().parse().map_err(|_| OriginError::Malformed)?;
        let host = authority.host();
        let is_address = |host: &str| host.strip_suffix(']').is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
        if host.is_empty() || host.strip_prefix('[').is_some_and(|host| !is_address(host)) {
            return Err(OriginError::Malformed);
        }
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => default_port,
            after_host => after_host
                .and_then(|port| port.strip_prefix(':').filter(|port| !port.starts_with('+'))?.parse().ok())
                .filter(|port| *port > 0)
                .ok_or(OriginError::Port)?,
        };
        let shown = if port == default_port { String::new() } else { format!(":{port}") };
        Ok((Self { text: format!("{scheme}://{host}{shown}"), scheme_length: scheme.len(), port }, rest))
    }

    /// `scheme://host[:port]`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.text.get(..self.scheme_length).unwrap_or_default()
    }

    /// `host[:port]`.
    pub fn authority(&self) -> &str {
        self.text.get(self.scheme_length + "://".len()..).unwrap_or_default()
    }

    /// `host:port`, the default port written out: the authority form of a CONNECT target (RFC 9112, section 3.2.3).
    pub fn host_and_port(&self) -> String {
        let authority = self.authority();
        let host = authority.strip_suffix(&format!(":{}", self.port)).unwrap_or(authority);
        format!("{host}:{}", self.port)
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => authority.split_once(':').map_or(authority, |(host, _)| host),
        }
    }

    /// The origin as an address without a path.
    pub fn uri(&self) -> Uri {
        // An origin is always a URI.
        self.text.parse().unwrap_or_default()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_origins_are_written_alike() {
        for (address, origin, host, port, rest) in [
            ("https://Host", "https://host", "host", 443, ""),
            ("HTTPS://host:443/a?b", "https://host", "host", 443, "/a?b"),
            ("http://host:443", "http://host:443", "host", 443, ""),
            ("http://host:080#x", "http://host", "host", 80, "#x"),
            ("https://[FD00::1]:8443/", "https://[fd00::1]:8443", "fd00::1", 8443, "/"),
            ("https://[::1]", "https://[::1]", "::1", 443, ""),
        ] {
            let (found, after) = Origin::split(address).unwrap();
            assert_eq!((found.as_str(), found.host(), found.port, after), (origin, host, port, rest), "{address}");
            assert_eq!(format!("{}://{}", found.scheme(), found.authority()), origin);
            assert!(found.host_and_port().ends_with(&format!(":{port}")) && found.host_and_port().contains(host));
            assert_eq!(found.host_and_port().matches(':').count(), host.matches(':').count() + 1);
            assert_eq!(found.uri().to_string().trim_end_matches('/'), origin);
        }
    }

    #[test]
    fn what_is_no_origin_is_rejected() {
        for (address, error) in [
            ("host", OriginError::Malformed),
            ("https://", OriginError::Malformed),
            ("https://:8443", OriginError::Malformed),
            ("https://a b", OriginError::Malformed),
            ("https://[::1", OriginError::Malformed),
            ("https://[host]", OriginError::Malformed),
            ("ftp://host", OriginError::OtherScheme),
            ("https://user@host", OriginError::UserInfo),
            ("https://host:0", OriginError::Port),
            ("https://host:", OriginError::Port),
            ("https://host:x", OriginError::Port),
            ("https://host:+1", OriginError::Port),
            ("https://host:99999", OriginError::Port),
            ("https://[::1]8443", OriginError::Port),
        ] {
            assert_eq!(Origin::split(address).unwrap_err(), error, "{address}");
        }
    }
}
