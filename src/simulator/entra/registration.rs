//! The credentials of a registered application, and the check of a credential.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256};
use rustls::pki_types::CertificateDer;
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::assertion::{Assertion, AssertionFault};
use super::errors::TokenRejection;
use super::tokens::Tokens;
use crate::tls;

/// An application's credentials.
#[derive(Default)]
pub(super) struct AppRegistration {
    pub secrets: HashMap<String, SecretState>,
    /// In DER form.
    certificates: Vec<CertificateDer<'static>>,
    federated: Vec<FederatedCredential>,
    /// The `jti` of the assertions so far: each is accepted once.
    used: HashSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretState {
    Valid,
    Expired,
}

/// A federated credential: it trusts the tokens that an external issuer issues for one subject.
#[derive(Debug, Clone)]
pub struct FederatedCredential {
    /// The `iss` of trusted tokens.
    pub issuer: String,
    /// The `sub` of trusted tokens.
    pub subject: String,
    /// The `aud` of trusted tokens.
    pub audience: String,
    /// The issuer's RSA key (PKCS#1 DER), which the real Entra downloads from the issuer. `None` trusts the tokens of
    /// the
    /// simulator's managed identities.
    pub public_key: Option<Vec<u8>>,
}

/// The longest validity of an assertion.
const MAX_ASSERTION_LIFETIME: Duration = Duration::from_secs(600);

impl AppRegistration {
    pub fn with(secrets: HashMap<String, SecretState>) -> Self {
        Self { secrets, ..Self::default() }
    }

    /// Adds the first certificate of a PEM text, if there is one.
    pub fn add_certificate(&mut self, pem: &str) {
        self.certificates.extend(tls::first_certificate(pem.as_bytes()).ok());
    }

    pub fn remove_certificates(&mut self) {
        self.certificates.clear();
    }

    pub fn add_federated_credential(&mut self, credential: FederatedCredential) {
        self.federated.push(credential);
    }

    pub fn check_secret(&self, id: Uuid, secret: &str) -> Result<(), TokenRejection> {
        match self.secrets.get(secret) {
            Some(SecretState::Valid) => Ok(()),
            Some(SecretState::Expired) => Err(TokenRejection::ExpiredSecret(id)),
            None => Err(TokenRejection::Secret(id)),
        }
    }

    /// Checks a client assertion: the application's own, or a federated one. `now` is the time on Entra's clock.
    pub fn check_assertion(
        &mut self,
        id: Uuid,
        text: &str,
        endpoint: &str,
        tokens: &Tokens,
        now: SystemTime,
    ) -> Result<(), AssertionFault> {
        let assertion = Assertion::parse(text)?;
        if assertion.header.get("x5t#S256").is_none() {
            return self.check_federated(text, &assertion, tokens, now);
        }
        let thumbprint = assertion.header["x5t#S256"].as_str().unwrap_or_default();
        let matches = |der: &&CertificateDer<'static>| URL_SAFE_NO_PAD.encode(digest(&SHA256, der)) == thumbprint;
        let der = self.certificates.iter().find(matches).ok_or(AssertionFault::UnknownCertificate)?;
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| AssertionFault::UnknownCertificate)?;
        if assertion.header["alg"] != "PS256" || assertion.header["typ"] != "JWT" {
            return Err(AssertionFault::Malformed("alg must be PS256, typ JWT"));
        }
        let key = certificate.public_key().subject_public_key.data.as_ref();
        assertion.check_signature(&RSA_PSS_2048_8192_SHA256, key)?;
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let validity = certificate.validity();
        let is_valid =
            |seconds: i64| validity.not_before.timestamp() <= seconds && seconds < validity.not_after.timestamp();
        if !i64::try_from(seconds).is_ok_and(is_valid) {
            return Err(AssertionFault::CertificateTime);
        }
        let (from, until) = assertion.check_time(now)?;
        if until.saturating_sub(from) > MAX_ASSERTION_LIFETIME.as_secs() {
            return Err(AssertionFault::Time);
        }
        let id = id.to_string();
        if assertion.claims["iss"] != id.as_str() || assertion.claims["sub"] != id.as_str() {
            return Err(AssertionFault::Subject);
        }
        if assertion.claims["aud"] != endpoint {
            return Err(AssertionFault::Audience);
        }
        match assertion.claims["jti"].as_str() {
            Some(jti) if !jti.is_empty() && self.used.insert(jti.to_owned()) => Ok(()),
            Some(_) => Err(AssertionFault::Used),
            None => Err(AssertionFault::Malformed("jti is missing")),
        }
    }

    fn check_federated(
        &self,
        text: &str,
        assertion: &Assertion<'_>,
        tokens: &Tokens,
        now: SystemTime,
    ) -> Result<(), AssertionFault> {
        if self.federated.is_empty() {
            return Err(AssertionFault::NoFederatedCredential);
        }
        let claim = |name: &str| assertion.claims[name].as_str().unwrap_or_default();
        let mut trusted: Vec<&FederatedCredential> = self.federated.iter().collect();
        trusted.retain(|credential| credential.issuer == claim("iss"));
        if trusted.is_empty() {
            return Err(AssertionFault::FederatedIssuer);
        }
        trusted.retain(|credential| credential.audience == claim("aud"));
        if trusted.is_empty() {
            return Err(AssertionFault::FederatedAudience);
        }
        trusted.retain(|credential| credential.subject == claim("sub"));
        let credential = trusted.first().ok_or(AssertionFault::FederatedSubject)?;
        assertion.check_time(now)?;
        match &credential.public_key {
            Some(key) => assertion.check_signature(&RSA_PKCS1_2048_8192_SHA256, key),
            None => tokens.is_current(text).then_some(()).ok_or(AssertionFault::Signature),
        }
    }
}
