//! Who we say we are: a server's certificate and its private key.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, ServerConfig};
use time::OffsetDateTime;

use super::provider;
use crate::small_file;

/// A server's certificate, those of the authorities between it and its root, and its private key; they belong together.
#[derive(Debug, Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    /// When programs cease to accept it.
    pub expires: OffsetDateTime,
}

/// Which of the two files an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Certificate,
    PrivateKey,
}

/// Why two files are no [`Identity`]. No variant holds anything of their contents.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("can't be read: {}", small_file::reason(.1))]
    Unreadable(Part, io::Error),
    #[error("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    #[error("holds a damaged certificate")]
    DamagedCertificate,
    #[error("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    #[error("holds a private key that is encrypted with a password")]
    EncryptedKey,
    #[error("holds a private key of a kind that can't be used")]
    UnusableKey,
    #[error("holds the private key of another certificate")]
    OtherKey,
    #[error("begins with the certificate of an authority")]
    WrongOrder,
}

impl IdentityError {
    /// The file it is about.
    pub fn part(&self) -> Part {
        match self {
            Self::Unreadable(part, _) => *part,
            Self::NoCertificate | Self::DamagedCertificate | Self::WrongOrder => Part::Certificate,
            Self::NoKey | Self::EncryptedKey | Self::UnusableKey | Self::OtherKey => Part::PrivateKey,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable(..) => {
                "name the right file; its path is relative to the folder of the configuration file. `bcproxy certificate` makes both files"
            }
            Self::NoCertificate | Self::DamagedCertificate => {
                "convert a .cer or .crt file with: openssl x509 -inform der -in FILE -out server.pem; a .pfx file with: openssl pkcs12 -in \
                 FILE -nokeys -out server.pem"
            }
            Self::NoKey => {
                "take it out of a .pfx file with: openssl pkcs12 -in FILE -nocerts -nodes -out server-key.pem"
            }
            Self::EncryptedKey => {
                "nobody is there to type it when bcproxy starts: remove it with: openssl pkey -in FILE -out server-key.pem"
            }
            Self::UnusableKey => {
                "use an ECDSA key (P-256 or P-384), an RSA key of 2048 bits or more, or an Ed25519 key"
            }
            Self::OtherKey => "name the key that was made together with the certificate, or make both anew",
            Self::WrongOrder => {
                "put the server's own certificate first, and behind it those of the authorities, in the order they sign"
            }
        }
    }
}

impl Identity {
    /// Reads both files, and looks whether they belong together.
    pub fn read(certificate: &Path, private_key: &Path) -> Result<Self, IdentityError> {
        let read = |part, path| small_file::read(path).map_err(|error| IdentityError::Unreadable(part, error));
        Self::from_pem(&read(Part::Certificate, certificate)?, &read(Part::PrivateKey, private_key)?)
    }

    /// The same, of what is in the files. The certificate's file may hold a key too, and the other way round.
    pub fn from_pem(certificates: &[u8], private_key: &[u8]) -> Result<Self, IdentityError> {
        let certificates = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|_| IdentityError::DamagedCertificate)?;
        let Some(own) = certificates.first() else { return Err(IdentityError::NoCertificate) };
        let expires = expiry(own).ok_or(IdentityError::DamagedCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(private_key).map_err(|error| match error {
            _ if memchr::memmem::find(private_key, b"ENCRYPTED").is_some() => IdentityError::EncryptedKey,
            pem::Error::NoItemsFound => IdentityError::NoKey,
            _ => IdentityError::UnusableKey,
        })?;
        let key = provider().key_provider.load_private_key(key).map_err(|_| IdentityError::UnusableKey)?;
        let belongs =
            |certificate: &CertificateDer<'static>| match CertifiedKey::new(vec![certificate.clone()], key.clone())
                .keys_match()
            {
                Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(true),
                Err(rustls::Error::InconsistentKeys(_)) => Ok(false),
                Err(_) => Err(IdentityError::DamagedCertificate),
            };
        if !belongs(own)? {
            let is_there = certificates.iter().any(|other| belongs(other).unwrap_or(false));
            return Err(if is_there { IdentityError::WrongOrder } else { IdentityError::OtherKey });
        }
        Ok(Self { certified: Arc::new(CertifiedKey::new(certificates, key)), expires })
    }

    /// What a listener speaks TLS with: versions 1.2 and 1.3, and HTTP/1 in it.
    ///
    /// Programs that open a connection for each call resume their session from a ticket; nothing is kept for them here.
    pub fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(self.certified.clone())));
        config.ticketer = Ticketer::new()?;
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        Ok(config)
    }
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<OffsetDateTime> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.to_datetime())
}
