//! The certificate and private key of a listener.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::Ticketer;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, ServerConfig};
use time::OffsetDateTime;

use super::client_verifier::ClientVerifier;
use super::crypto_provider::provider;
use super::pem::{self, PemError};
use crate::small_file;

/// A server's certificate with its chain and its private key, checked to belong together.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    key: Arc<CertifiedKey>,
    /// When the certificate expires.
    pub expires: OffsetDateTime,
}

/// One of the two files of a [`ServerCertificate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificatePart {
    /// The certificate and its chain.
    Certificate,
    /// The private key.
    PrivateKey,
}

/// Why two files make no [`ServerCertificate`]. The message completes "the file …" and repeats no contents.
#[derive(Debug, thiserror::Error)]
pub enum ServerCertificateError {
    /// The file holds no usable PEM.
    #[error("{1}")]
    Pem(CertificatePart, PemError),
    /// The private key's algorithm or size is not supported.
    #[error("holds a private key of an unsupported kind")]
    UnusableKey,
    /// The private key does not match the certificate.
    #[error("holds the private key of another certificate")]
    OtherKey,
    /// The chain is not in order.
    #[error("starts with the certificate of an authority")]
    WrongOrder,
}

impl ServerCertificateError {
    /// The file that the error is about.
    pub fn part(&self) -> CertificatePart {
        match self {
            Self::Pem(part, _) => *part,
            Self::WrongOrder => CertificatePart::Certificate,
            Self::UnusableKey | Self::OtherKey => CertificatePart::PrivateKey,
        }
    }

    /// How to fix it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Pem(_, PemError::Unreadable(_)) => {
                "name the right file; its path is relative to the folder of the configuration file. \
                 `bcproxy certificate` creates both files"
            }
            Self::Pem(_, error) => error.help(),
            Self::UnusableKey => {
                "use an ECDSA key (P-256 or P-384), an RSA key of 2048 bits or more, or an Ed25519 key"
            }
            Self::OtherKey => "name the key that was created with this certificate, or create both again",
            Self::WrongOrder => {
                "put the server's certificate first, then the one that signed it, and so on up the chain"
            }
        }
    }
}

impl ServerCertificate {
    /// Reads both files and checks that they belong together.
    pub fn read(certificate: &Path, private_key: &Path) -> Result<Self, ServerCertificateError> {
        let read = |part, path| small_file::read(path).map_err(|error| ServerCertificateError::Pem(part, error.into()));
        Self::from_pem(
            &read(CertificatePart::Certificate, certificate)?,
            &read(CertificatePart::PrivateKey, private_key)?,
        )
    }

    /// Parses the contents of both files. Each may also hold the other part.
    pub fn from_pem(certificates: &[u8], private_key: &[u8]) -> Result<Self, ServerCertificateError> {
        let of_certificate = |error| ServerCertificateError::Pem(CertificatePart::Certificate, error);
        let certificates = pem::certificates(certificates).map_err(of_certificate)?;
        let own = certificates.first().ok_or_else(|| of_certificate(PemError::NoCertificate))?;
        let expires = expiry(own).ok_or_else(|| of_certificate(PemError::DamagedCertificate))?;
        let key = pem::private_key(private_key);
        let key = key.map_err(|error| ServerCertificateError::Pem(CertificatePart::PrivateKey, error))?;
        let key = provider().key_provider.load_private_key(key).map_err(|_| ServerCertificateError::UnusableKey)?;
        let matches_key =
            |certificate: &CertificateDer<'static>| match CertifiedKey::new(vec![certificate.clone()], key.clone())
                .keys_match()
            {
                Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(true),
                Err(rustls::Error::InconsistentKeys(_)) => Ok(false),
                Err(_) => Err(of_certificate(PemError::DamagedCertificate)),
            };
        if !matches_key(own)? {
            let is_listed = certificates.iter().any(|other| matches_key(other).unwrap_or(false));
            return Err(if is_listed { ServerCertificateError::WrongOrder } else { ServerCertificateError::OtherKey });
        }
        Ok(Self { key: Arc::new(CertifiedKey::new(certificates, key)), expires })
    }

    /// The configuration of a listener: TLS 1.2 and 1.3, with HTTP/1.
    ///
    /// Clients that open a connection for each call resume their session with a ticket, which needs no memory here.
    /// With `clients`, they are asked for a certificate.
    pub fn server_config(&self, clients: Option<&ClientVerifier>) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients.for_handshake()),
            None => builder.with_no_client_auth(),
        }
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(self.key.clone())));
        config.ticketer = Ticketer::new()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        Ok(config)
    }
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<OffsetDateTime> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.to_datetime())
}
