//! An address that bcproxy listens on.

use std::net::SocketAddr;
use std::path::PathBuf;

use hyper::http::uri::Scheme;

/// An address where programs come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// What makes it speak HTTPS; `None`: it speaks HTTP.
    pub tls: Option<TlsFiles>,
}

/// Where a server's certificate and its private key are, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub private_key: PathBuf,
}

impl Listener {
    /// What is written before its address.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// Whether `[::]` must leave the addresses of version 4 to others of this list.
    pub fn is_v6_only(&self, all: &[Self]) -> bool {
        let takes_v4 = |other: &Self| other.address.is_ipv4() && other.address.port() == self.address.port();
        self.address.is_ipv6() && self.address.port() != 0 && all.iter().any(takes_v4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_6_leaves_version_4_to_the_listeners_that_name_it() {
        let listener = |address: &str| Listener { address: address.parse().unwrap(), tls: None };
        let all = [listener("[::]:80"), listener("0.0.0.0:80"), listener("[::]:81"), listener("127.0.0.1:82")];
        let only: Vec<bool> = all.iter().map(|one| one.is_v6_only(&all)).collect();
        assert_eq!(only, [true, false, false, false]);
    }
}
