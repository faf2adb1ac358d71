//! An address that bcproxy listens on.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper::http::uri::Scheme;

/// An address that clients connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// IP address and port. Port 0 lets the operating system choose one.
    pub address: SocketAddr,
    /// The certificate for HTTPS. `None`: the listener serves HTTP.
    pub tls: Option<TlsFiles>,
}

/// The PEM files of a server's certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by intermediate certificates.
    pub certificate: PathBuf,
    /// The private key, without a password.
    pub private_key: PathBuf,
}

impl Listener {
    /// The scheme of its URLs: `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
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
        let listener = |address: &str| Listener { address: address.parse().unwrap(), tls: None };
        let all = [listener("[::]:80"), listener("0.0.0.0:80"), listener("[::]:81"), listener("127.0.0.1:82")];
        let only: Vec<bool> = all.iter().map(|one| one.is_v6_only(&all)).collect();
        assert_eq!(only, [true, false, false, false]);
    }
}
