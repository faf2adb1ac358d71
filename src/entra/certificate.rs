//! A certificate and its private key: checked to belong together, and the assertions they sign.
//!
//! Source: Entra, "Microsoft identity platform application authentication certificate credentials"; RFC 7523.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::credential::Fingerprint;
use super::ids::ClientId;
use crate::secret::{Secret, read_file};
use crate::tls::{self, PemError};

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
    key: RsaKeyPair,
    /// SHA-256 of the certificate in DER form.
    thumbprint: [u8; 32],
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

/// Why a certificate can't be used. The message names the file, never its contents.
#[derive(Debug, thiserror::Error)]
#[error("the client certificate can't be used: the file {} {problem}", .path.display())]
pub struct CertificateError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with the file.
    pub problem: CertificateProblem,
}

/// What is wrong with the file of a certificate or key. The message completes "the file …".
#[derive(Debug, thiserror::Error)]
pub enum CertificateProblem {
    /// The file holds no usable PEM.
    #[error("{0}; {help}", help = .0.help())]
    Pem(#[from] PemError),
    /// The key has another algorithm or size.
    #[error("holds a key that can't sign for Entra; use an RSA key of 2048 to 8192 bits")]
    UnusableKey,
    /// The key does not match the certificate.
    #[error("holds the private key of another certificate; name the key that was created with this certificate")]
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
            move |problem: CertificateProblem| CertificateError { path, problem }
        };
        let damaged = || of(&self.certificate)(PemError::DamagedCertificate.into());
        let der = tls::first_certificate(certificate).map_err(|error| of(&self.certificate)(error.into()))?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| damaged())?;
        let key = rsa_key(key.unwrap_or(certificate)).map_err(of(key_path))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key().as_ref() {
            return Err(of(key_path)(CertificateProblem::OtherKey));
        }
        let moment = |time: x509_parser::time::ASN1Time| {
            OffsetDateTime::from_unix_timestamp(time.timestamp()).map_err(|_| damaged())
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
        Fingerprint::of(self.thumbprint)
    }

    /// Signs an assertion for one token request at `token_endpoint`, valid for five minutes.
    ///
    /// `None` if the operating system provides no random numbers.
    pub fn assertion(&self, client_id: ClientId, token_endpoint: &str, now: OffsetDateTime) -> Option<Secret> {
        let header =
            json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(self.thumbprint) }).to_string();
        let client_id = client_id.to_string();
        let claims = json!({
            "aud": token_endpoint,
            "iss": client_id,
            "sub": client_id,
            "jti": Uuid::new_v4(),
            "iat": now.unix_timestamp(),
            "nbf": now.unix_timestamp(),
            "exp": (now + LIFETIME).unix_timestamp(),
        });
        let mut assertion =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_key().modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), assertion.as_bytes(), &mut signature).ok()?;
        assertion.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut assertion);
        Some(Secret::new(assertion))
    }
}

async fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let content = read_file(path).await;
    content.map_err(|error| CertificateError { path: path.to_owned(), problem: PemError::from(error).into() })
}

/// Parses a key in PKCS#8 or PKCS#1 form.
fn rsa_key(text: &[u8]) -> Result<RsaKeyPair, CertificateProblem> {
    let key = match tls::private_key(text)? {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        key => RsaKeyPair::from_pkcs8(key.secret_der()),
    };
    key.map_err(|_| CertificateProblem::UnusableKey)
}

/// Entra accepts up to ten minutes.
const LIFETIME: Duration = Duration::from_secs(300);
