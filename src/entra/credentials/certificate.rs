//! A certificate and its private key, checked to belong together.

use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use ring::signature::{KeyPair, RsaKeyPair};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::{Date, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::fingerprint::{Fingerprint, FingerprintBuilder};
use crate::secret::read_file;

/// The PEM files of a certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The application's certificate comes first; its chain may follow.
    pub certificate: PathBuf,
    /// `None` if the certificate's file holds the key.
    pub private_key: Option<PathBuf>,
}

/// A certificate with its private key, which signs for the application. It stays in memory for one token request only.
#[derive(Debug)]
pub struct SigningCertificate {
    pub(super) key: RsaKeyPair,
    /// SHA-256 of the certificate in DER form.
    pub(super) thumbprint: [u8; 32],
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

/// Why a certificate can't be used. The message names the file, never its contents.
#[derive(Debug, thiserror::Error)]
#[error("the client certificate can't be used: the file {} {problem}", .path.display())]
pub struct CertificateError {
    path: PathBuf,
    /// What is wrong with the file.
    pub problem: CertificateProblem,
}

/// What is wrong with the file of a certificate or key. The message completes "the file …".
#[derive(Debug, thiserror::Error)]
pub enum CertificateProblem {
    /// The file can't be read.
    #[error("can't be read ({0}); check the path, and that the account bcproxy runs under may read it")]
    Unreadable(io::Error),
    /// The file is in a binary format.
    #[error("is a PKCS#12 or DER file; convert it to PEM: openssl pkcs12 -in FILE -nodes -out FILE.pem")]
    NotPem,
    /// The file holds no certificate.
    #[error("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The certificate can't be parsed.
    #[error("holds a damaged certificate; export it again")]
    Damaged,
    /// The file holds no private key.
    #[error("holds no private key; name the file that holds the key with `private_key`")]
    NoKey,
    /// The key is encrypted.
    #[error(
        "holds a key that is encrypted with a passphrase; remove the passphrase: openssl pkcs8 -in FILE -out NEW, \
         and protect the new file"
    )]
    Encrypted,
    /// The key has another algorithm or size.
    #[error("holds a key that can't sign for Entra; use an RSA key of 2048 to 8192 bits")]
    UnusableKey,
    /// The key does not match the certificate.
    #[error("holds the key of another certificate; name the key that was created with this certificate")]
    OtherKey,
    /// The certificate has expired.
    #[error(
        "holds a certificate that expired on {}; create a new one and upload it in Entra, \
         App registrations → Certificates & secrets", .0.date()
    )]
    Expired(OffsetDateTime),
    /// The certificate's validity has not begun.
    #[error("holds a certificate that is not valid before {} UTC; check this machine's clock and the certificate", .0.date())]
    NotYetValid(OffsetDateTime),
}

impl CertificateProblem {
    /// Whether the problem is in the private key's file.
    pub fn is_about_the_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::Encrypted | Self::UnusableKey | Self::OtherKey)
    }
}

impl CertificateFiles {
    /// The one or two files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.certificate.as_path()).chain(self.private_key.as_deref())
    }

    /// Reads both files and checks that they belong together. Does not check the certificate's validity period.
    pub async fn read(&self) -> Result<SigningCertificate, CertificateError> {
        let certificate = read(&self.certificate).await?;
        let key = match &self.private_key {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        self.pair(&certificate, key.as_ref().map(|key| key.as_slice()))
    }

    /// Parses the contents of the files. `key` is that of the private key's file, if it is a separate one.
    pub fn pair(&self, certificate: &[u8], key: Option<&[u8]>) -> Result<SigningCertificate, CertificateError> {
        let key_path = self.private_key.as_ref().unwrap_or(&self.certificate);
        let of = |path: &Path| {
            let path = path.to_owned();
            move |problem| CertificateError { path, problem }
        };
        let der = first_certificate(certificate).map_err(of(&self.certificate))?;
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| of(&self.certificate)(CertificateProblem::Damaged))?;
        let key = private_key(key.unwrap_or(certificate)).map_err(of(key_path))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key().as_ref() {
            return Err(of(key_path)(CertificateProblem::OtherKey));
        }
        let moment = |time: x509_parser::time::ASN1Time| {
            OffsetDateTime::from_unix_timestamp(time.timestamp())
                .map_err(|_| of(&self.certificate)(CertificateProblem::Damaged))
        };
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, &der).as_ref());
        let validity = parsed.validity();
        Ok(SigningCertificate {
            key,
            thumbprint,
            not_before: moment(validity.not_before)?,
            not_after: moment(validity.not_after)?,
        })
    }

    /// Checks that `now` is within the certificate's validity period.
    pub fn check_validity(&self, pair: &SigningCertificate, now: OffsetDateTime) -> Result<(), CertificateError> {
        let problem = match now {
            now if now >= pair.not_after => CertificateProblem::Expired(pair.not_after),
            now if now < pair.not_before => CertificateProblem::NotYetValid(pair.not_before),
            _ => return Ok(()),
        };
        Err(CertificateError { path: self.certificate.clone(), problem })
    }
}

impl SigningCertificate {
    /// The day on which it expires.
    pub fn last_day(&self) -> Date {
        self.not_after.date()
    }

    /// A fingerprint that changes with the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut builder = FingerprintBuilder::default();
        builder.add(Some(&self.thumbprint));
        builder.finish()
    }
}

async fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    read_file(path)
        .await
        .map_err(|reason| CertificateError { path: path.to_owned(), problem: CertificateProblem::Unreadable(reason) })
}

fn first_certificate(text: &[u8]) -> Result<CertificateDer<'static>, CertificateProblem> {
    match CertificateDer::from_pem_slice(text) {
        Ok(certificate) => Ok(certificate),
        Err(pem::Error::NoItemsFound) => Err(not_pem_or(text, CertificateProblem::NoCertificate)),
        Err(_) => Err(CertificateProblem::Damaged),
    }
}

/// Parses a key in PKCS#8 or PKCS#1 form.
fn private_key(text: &[u8]) -> Result<RsaKeyPair, CertificateProblem> {
    let key = match PrivateKeyDer::from_pem_slice(text) {
        Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        Ok(key) => RsaKeyPair::from_pkcs8(key.secret_der()),
        Err(_) if is_encrypted(text) => return Err(CertificateProblem::Encrypted),
        Err(pem::Error::NoItemsFound) => return Err(not_pem_or(text, CertificateProblem::NoKey)),
        Err(_) => return Err(CertificateProblem::UnusableKey),
    };
    key.map_err(|_| match is_encrypted(text) {
        true => CertificateProblem::Encrypted,
        false => CertificateProblem::UnusableKey,
    })
}

/// An encrypted key is marked in the block's name (PKCS#8) or in one of its headers (OpenSSL's old form of PKCS#1).
fn is_encrypted(text: &[u8]) -> bool {
    let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

/// DER, and so PKCS#12, starts with the tag of a sequence.
fn not_pem_or(text: &[u8], otherwise: CertificateProblem) -> CertificateProblem {
    if text.first() == Some(&0x30) { CertificateProblem::NotPem } else { otherwise }
}
