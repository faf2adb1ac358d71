//! The keys of the admin listener.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::secret::{SecretKeys, read_secret};
use crate::config::model::HostName;
use crate::config::shape::{At, Form, OneOrMore, Shape, mapping};
use crate::config::yaml::{Node, Report};
use crate::secret::SecretSource;

mapping! {
    /// The listener for the status page, metrics, health checks, `bcproxy reload` and `bcproxy stop`.
    AdminKeys: "admin section" {
        /// An IP address and a port, or a list of them. On a loopback address, programs on this machine or in this
        /// container read everything, and may reload and stop bcproxy. At any other address, `allow_from` is required.
        /// There, an entry with `tls` serves everything to those who have the `token`:
        /// `{ address: …, tls: { certificate: …, private_key: … } }`.
        /// An entry without `tls` serves only `/metrics`, `/livez` and `/readyz`.
        listen: OneOrMore<AdminListenerKeys> = Default("127.0.0.1:8081"),
        /// Where the token is stored: at least 16 characters. Never write the token itself in this file. Monitors send
        /// it as `Authorization: Bearer …`, and people sign in with it. On loopback, only `reload`, `stop` and checks
        /// need it. It is never accepted over plain HTTP off loopback.
        /// A new value counts within 30 seconds, and ends all sessions.
        token: AdminTokenKey = Optional,
        /// The networks that may connect to addresses off loopback.
        allow_from: Vec<At<IpNet>> = Optional,
        /// Further host names by which browsers and monitors call the admin listener. bcproxy always accepts IP
        /// addresses, `localhost`, this machine's name and the names in the listener's certificates. Requests for any
        /// other host are rejected with 421, because a web page could have sent them (DNS rebinding).
        hosts: Vec<At<HostName>> = Optional,
    }
}

mapping! {
    /// An address of the admin listener.
    AdminListenerKeys: "admin listener", short for address: SocketAddr {
        /// An IP address and a port.
        address: SocketAddr = Required,
        /// The certificate for HTTPS (TLS 1.2 and 1.3). Without it, the address serves HTTP.
        tls: AdminTlsKeys = Optional,
    }
}

mapping! {
    /// The certificate of the admin listener. `bcproxy certificate` creates both files. bcproxy reloads them when they
    /// change.
    AdminTlsKeys: "tls section" {
        /// A PEM file with the server's certificate, followed by the intermediate certificates, if any.
        /// Relative to the folder of `proxy.yaml`.
        certificate: PathBuf = Required,
        /// A PEM file with the private key of the certificate, without a password.
        /// Relative to the folder of `proxy.yaml`.
        private_key: PathBuf = Required,
    }
}

impl AdminKeys {
    /// Where the token is stored, if that could be read.
    pub fn token_source(&self) -> Option<&At<SecretSource>> {
        self.token.as_ref()?.value.0.as_ref()
    }

    /// The files of the certificates, as far as they are named.
    pub fn certificates(&self) -> impl Iterator<Item = &AdminTlsKeys> {
        let listeners = self.listen.iter().flat_map(|listen| &listen.value.0);
        listeners.filter_map(|listener| Some(&listener.value.tls.as_ref()?.value))
    }
}

/// Where the token is stored. `None` for an invalid location, which is reported, to distinguish it from an absent one.
#[derive(Debug)]
pub struct AdminTokenKey(pub Option<At<SecretSource>>);

impl Shape for AdminTokenKey {
    fn form() -> Form {
        SecretKeys::form()
    }

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let secret = read_secret(node, "token: { env: BCPROXY_ADMIN_TOKEN }", report);
        Some(Self(secret.map(|secret| secret.source)))
    }
}
