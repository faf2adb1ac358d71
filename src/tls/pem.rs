//! Certificates and private keys in PEM files.

use std::io;
use std::path::Path;

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::small_file;

/// Why a file holds no certificate or key that can be used. The message completes "the file …" and repeats no contents.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file can't be read.
    #[error("can't be read: {}", small_file::reason(.0))]
    Unreadable(#[from] io::Error),
    /// The file is in a binary format.
    #[error("is a PKCS#12 or DER file")]
    NotPem,
    /// The file holds no certificate.
    #[error("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// A certificate can't be parsed.
    #[error("holds a damaged certificate")]
    DamagedCertificate,
    /// The file holds no private key.
    #[error("holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The private key is encrypted.
    #[error("holds a private key that is encrypted with a password")]
    EncryptedKey,
    /// The private key can't be parsed.
    #[error("holds a damaged private key")]
    DamagedKey,
}

impl PemError {
    /// How to fix it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => {
                "name the right file; a relative path starts in the folder of the configuration file"
            }
            Self::NotPem | Self::NoCertificate | Self::DamagedCertificate => {
                "convert a .pfx file to PEM with: openssl pkcs12 -in FILE -nodes -out NEW.pem. \
                 Convert a .cer or .crt file with: openssl x509 -inform der -in FILE -out NEW.pem"
            }
            Self::NoKey => {
                "name the file that holds the key with `private_key`; \
                 extract it from a .pfx file with: openssl pkcs12 -in FILE -nocerts -nodes -out NEW.pem"
            }
            Self::EncryptedKey => {
                "bcproxy can't ask for the password; remove it with: openssl pkey -in FILE -out NEW.pem, \
                 and protect the new file"
            }
            Self::DamagedKey => "export the key again",
        }
    }
}

/// The certificates of a file; at least one.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    certificates(&small_file::read(path)?)
}

/// The certificates of a text; at least one.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|_| PemError::DamagedCertificate)?;
    if all.is_empty() { Err(missing(text, PemError::NoCertificate)) } else { Ok(all) }
}

/// The first certificate of a text. What follows may be damaged.
pub fn first_certificate(text: &[u8]) -> Result<CertificateDer<'static>, PemError> {
    CertificateDer::from_pem_slice(text).map_err(|error| match error {
        Error::NoItemsFound => missing(text, PemError::NoCertificate),
        _ => PemError::DamagedCertificate,
    })
}

/// The first private key of a text that is not encrypted.
pub fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    // The block's name (PKCS#8) or one of its headers (OpenSSL's old form of PKCS#1) says so.
    let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        _ if has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED") => PemError::EncryptedKey,
        Error::NoItemsFound => missing(text, PemError::NoKey),
        _ => PemError::DamagedKey,
    })
}

/// DER, and so PKCS#12, starts with the tag of a sequence.
fn missing(text: &[u8], otherwise: PemError) -> PemError {
    if text.first() == Some(&0x30) { PemError::NotPem } else { otherwise }
}
