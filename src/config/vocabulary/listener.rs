//! The keys of a listener.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::shape::mapping::mapping;

mapping! {
    /// An address that clients connect to.
    ListenerKeys: "listener", short for address: SocketAddr {
        /// An IP address and a port.
        address: SocketAddr = Required,
        /// The certificate for HTTPS (TLS 1.2 and 1.3). Without it, the listener serves HTTP.
        tls: ListenerTlsKeys = Optional,
    }
}

mapping! {
    /// The certificate of an HTTPS listener. `bcproxy certificate` creates both files. bcproxy reloads them when they
    /// change.
    ListenerTlsKeys: "tls section" {
        /// A PEM file with the server's certificate, followed by the intermediate certificates, if any.
        /// Relative to the folder of `proxy.yaml`.
        certificate: PathBuf = Required,
        /// A PEM file with the private key of the certificate, without a password.
        /// Relative to the folder of `proxy.yaml`.
        private_key: PathBuf = Required,
    }
}
