//! The certificate that a client showed in the TLS handshake.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use tokio::time::Instant;

use crate::tls::{ClientCertificateError, ClientVerifier};

/// A client's certificate, checked by the authorities and revocation lists of now.
#[derive(Debug, Default)]
pub struct PeerCertificate {
    chain: OnceLock<Vec<CertificateDer<'static>>>,
    checked: Mutex<Option<Checked>>,
}

/// The names in it, or why it is not accepted, and by which files.
#[derive(Debug)]
struct Checked {
    verifier: ClientVerifier,
    at: Instant,
    names: Result<Arc<[String]>, ClientCertificateError>,
}

impl PeerCertificate {
    /// The client showed this chain, its own certificate first.
    pub fn set(&self, chain: &[CertificateDer<'static>]) {
        let _ = self.chain.set(chain.to_vec());
    }

    /// The names in the certificate, if it is valid. Checked again when the files change, and every minute: it may
    /// expire.
    pub fn names(&self, verifier: Option<&ClientVerifier>) -> Result<Arc<[String]>, ClientCertificateError> {
        let (Some(chain), Some(verifier)) = (self.chain.get(), verifier) else {
            return Err(ClientCertificateError::Missing);
        };
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(checked) =
            checked.as_ref().filter(|checked| checked.verifier.is(verifier) && checked.at.elapsed() < RECHECK_AFTER)
        {
            return checked.names.clone();
        }
        let names = verifier.names(chain).map(Arc::from);
        *checked = Some(Checked { verifier: verifier.clone(), at: Instant::now(), names: names.clone() });
        names
    }
}

/// How long the result of a check holds.
const RECHECK_AFTER: Duration = Duration::from_secs(60);
