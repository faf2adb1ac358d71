//! Verification of the servers that bcproxy connects to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::Verifier;

use super::crypto_provider::provider;
use super::pem::{PemError, read_certificates};

/// Why TLS connections can't be verified: the trusted roots can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `ca_file` holds no usable certificate.
    #[error("the CA file {} {reason}; {}", .path.display(), .reason.help())]
    CaFile {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with it.
        reason: PemError,
    },
    /// The file of a certificate that alone is trusted can't be used.
    #[error("the certificate {} {reason}; {}", .path.display(), .reason.help())]
    Certificate {
        /// The file's path.
        path: PathBuf,
        /// What is wrong with it.
        reason: PemError,
    },
    /// The platform's roots can't be loaded.
    #[error(
        "the operating system's certificate store can't be used ({0}); install it (Debian: the package ca-certificates) \
         or name a PEM file with `ca_file`"
    )]
    Store(rustls::Error),
}

/// A client configuration that verifies servers against the platform's roots and those of `ca_file`.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    client_config_with(verifier(ca_file)?)
}

/// A verifier of servers' certificates, with the platform's roots and those of `ca_file`.
pub fn verifier(ca_file: Option<&Path>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let Some(path) = ca_file else {
        return Ok(Arc::new(Verifier::new(provider()).map_err(TlsError::Store)?));
    };
    let unusable = |reason| TlsError::CaFile { path: path.to_owned(), reason };
    let extra = read_certificates(path).map_err(unusable)?;
    let verifier = Verifier::new_with_extra_roots(extra, provider()).map_err(|reason| match reason {
        rustls::Error::InvalidCertificate(_) => unusable(PemError::DamagedCertificate),
        reason => TlsError::Store(reason),
    })?;
    Ok(Arc::new(verifier))
}

/// A client configuration with this verifier, which must reject whatever [`verifier`] rejects, or trust one certificate
/// alone.
pub fn client_config_with(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, TlsError> {
    // rustls calls any verifier but its own dangerous.
    Ok(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// A client configuration that trusts no server, for a client of plain HTTP.
pub fn client_config_without_roots() -> Result<ClientConfig, TlsError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(TlsError::Store)
}
