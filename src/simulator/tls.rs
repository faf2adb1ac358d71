//! The simulator's throw-away certificate authority.

use std::io;
use std::sync::Arc;

use time::Duration;
use tokio_rustls::TlsAcceptor;

use crate::tls::{self, CertificateAuthority};

/// The TLS identity of the listeners, and the authority that a client must trust.
pub(super) struct ServerIdentity {
    pub acceptor: TlsAcceptor,
    /// The certificate authority, as PEM.
    pub ca_pem: String,
}

impl ServerIdentity {
    /// Generates an authority of this name and its certificate for `localhost`, `127.0.0.1` and `*.simulator.test`.
    /// Both are
    /// valid from yesterday for thirty days.
    pub fn generate(authority_name: &str) -> io::Result<Self> {
        let names = ["localhost", "127.0.0.1", "*.simulator.test"].map(str::to_owned).to_vec();
        let authority = CertificateAuthority::new(authority_name, &names, LIFETIME).map_err(io::Error::other)?;
        let certified = authority.issue(names, LIFETIME).map_err(io::Error::other)?;
        let identity =
            tls::ServerCertificate::from_pem(certified.certificate.as_bytes(), certified.private_key.as_bytes());
        let config = identity.map_err(io::Error::other)?.server_config(None).map_err(io::Error::other)?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem: authority.certificate().to_owned() })
    }
}

const LIFETIME: Duration = Duration::days(31);
