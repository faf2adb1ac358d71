//! Whom we trust when we speak TLS.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use super::provider;
use crate::small_file;

/// Why no TLS client could be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the CA file {} can't be read ({}); give the path of a PEM file this user may read", .path.display(), small_file::reason(.reason))]
    Unreadable { path: PathBuf, reason: io::Error },
    #[error("the CA file {} holds no usable certificate; it must be PEM: -----BEGIN CERTIFICATE----- …", .path.display())]
    NoCertificate { path: PathBuf },
    #[error(
        "the operating system's certificate store can't be used ({0}); install it (Debian: the package ca-certificates) \
         or name a PEM file with `ca_file`"
    )]
    Store(rustls::Error),
}

/// A client configuration that verifies servers against the platform's roots and those of `ca_file`.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    config_with(verifier(ca_file)?)
}

/// What judges the certificates of servers, by the platform's roots and those of `ca_file`.
pub fn verifier(ca_file: Option<&Path>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let Some(path) = ca_file else {
        return Ok(Arc::new(Verifier::new(provider()).map_err(TlsError::Store)?));
    };
    let extra = read_certificates(path)?;
    let verifier = Verifier::new_with_extra_roots(extra, provider()).map_err(|reason| match reason {
        rustls::Error::InvalidCertificate(_) => TlsError::NoCertificate { path: path.to_owned() },
        reason => TlsError::Store(reason),
    })?;
    Ok(Arc::new(verifier))
}

/// A client configuration with a verifier of its own. It must judge as [`verifier`] does.
pub fn config_with(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, TlsError> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Store)?
        .dangerous() // rustls' word for any verifier but its own; this one is the platform's.
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// The certificates of a PEM file; at least one.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |reason| TlsError::Unreadable { path: path.to_owned(), reason };
    let no_certificate = || TlsError::NoCertificate { path: path.to_owned() };
    let bytes = small_file::read(path).map_err(unreadable)?;
    let certificates =
        CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>().map_err(|_| no_certificate())?;
    if certificates.is_empty() {
        return Err(no_certificate());
    }
    Ok(certificates)
}
