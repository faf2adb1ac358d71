//! A certificate and its private key: read, and checked to be a pair that can sign now.

use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use ring::signature::{KeyPair, RsaKeyPair};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::{Date, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::fingerprint::{Fingerprint, Gathering};
use crate::secret::read_file;

/// The files of a certificate and its key, both in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The application's certificate comes first; those that vouch for it may follow.
    pub certificate: PathBuf,
    /// `None`: the key is in the certificate's file.
    pub private_key: Option<PathBuf>,
}

/// A certificate that can sign for the application. Its key is in memory for as long as one token request takes.
#[derive(Debug)]
pub struct SigningCertificate {
    pub(super) key: RsaKeyPair,
    /// SHA-256 of its DER form.
    pub(super) thumbprint: [u8; 32],
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

/// Why a certificate can't be used. Names the file, never what is in it.
#[derive(Debug, thiserror::Error)]
#[error("the client certificate can't be used: the file {} {problem}", .path.display())]
pub struct CertificateError {
    path: PathBuf,
    pub problem: CertificateProblem,
}

/// What is wrong with the file of a certificate or a key; completes "the file …".
#[derive(Debug, thiserror::Error)]
pub enum CertificateProblem {
    #[error("can't be read ({0}); check the path and that the user who runs bcproxy may read it")]
    Unreadable(io::Error),
    #[error("is a PKCS#12 or DER file; write it as PEM: openssl pkcs12 -in FILE -nodes -out FILE.pem")]
    NotPem,
    #[error("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    #[error("holds a damaged certificate; export it again")]
    Damaged,
    #[error("holds no private key; name the file that does with `private_key`")]
    NoKey,
    #[error(
        "holds a key that is locked with a passphrase; write it without: openssl pkcs8 -in FILE -out NEW, and keep that file safe"
    )]
    Encrypted,
    #[error("holds a key bcproxy can't sign with; Entra takes RSA keys of 2048 to 8192 bits")]
    UnusableKey,
    #[error("holds the key of another certificate; name the one that was made together with this certificate")]
    OtherKey,
    #[error("holds a certificate that ended on {}; make a new one and upload it in Entra, App registrations → Certificates & secrets", .0.date())]
    Ended(OffsetDateTime),
    #[error("holds a certificate that is not valid before {} UTC; check this machine's clock and the certificate", .0.date())]
    NotYetValid(OffsetDateTime),
}

impl CertificateProblem {
    /// Whether it is the key's file that has to be mended.
    pub fn is_about_the_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::Encrypted | Self::UnusableKey | Self::OtherKey)
    }
}

impl CertificateFiles {
    /// One or two files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.certificate.as_path()).chain(self.private_key.as_deref())
    }

    /// Reads both files as they are now, and checks that they belong together; not, whether this is the time of the certificate.
    pub async fn read(&self) -> Result<SigningCertificate, CertificateError> {
        let certificate = read(&self.certificate).await?;
        let key = match &self.private_key {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        self.pair(&certificate, key.as_ref().map(|key| key.as_slice()))
    }

    /// Makes a pair of what the files hold. `key`: of the private key's file, where it has one of its own.
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

    /// Whether this is the certificate's time.
    pub fn check_time(&self, pair: &SigningCertificate, now: OffsetDateTime) -> Result<(), CertificateError> {
        let problem = match now {
            now if now >= pair.not_after => CertificateProblem::Ended(pair.not_after),
            now if now < pair.not_before => CertificateProblem::NotYetValid(pair.not_before),
            _ => return Ok(()),
        };
        Err(CertificateError { path: self.certificate.clone(), problem })
    }
}

impl SigningCertificate {
    /// The last day on which it is good all day long or for a part.
    pub fn last_day(&self) -> Date {
        self.not_after.date()
    }

    /// Changes with the certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut all = Gathering::default();
        all.add(Some(&self.thumbprint));
        all.finish()
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

/// A key in the PKCS#8 or PKCS#1 form.
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

/// A passphrase shows in the block's name (PKCS#8) or in a header of it (OpenSSL's old form of PKCS#1).
fn is_encrypted(text: &[u8]) -> bool {
    let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

/// DER, and so PKCS#12, begins with a sequence.
fn not_pem_or(text: &[u8], otherwise: CertificateProblem) -> CertificateProblem {
    if text.first() == Some(&0x30) { CertificateProblem::NotPem } else { otherwise }
}
