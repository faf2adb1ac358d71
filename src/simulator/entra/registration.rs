//! What the directory knows of an application's credentials, and whether one that is shown is good.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use uuid::Uuid;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::errors::Refusal;
use super::tokens::Tokens;

/// An application's credentials.
#[derive(Default)]
pub(super) struct Registration {
    pub secrets: HashMap<String, SecretState>,
    /// In DER form.
    certificates: Vec<CertificateDer<'static>>,
    federated: Vec<FederatedCredential>,
    /// The identifiers of statements that were shown: each is good once.
    used: HashSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretState {
    Valid,
    Expired,
}

/// A trust in what somebody else says of an application.
#[derive(Debug, Clone)]
pub struct FederatedCredential {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
    /// The issuer's RSA key (PKCS#1 DER), where the real Entra reads it from the issuer's own address. `None`: tokens of the simulator's
    /// managed identities.
    pub public_key: Option<Vec<u8>>,
}

/// What is wrong with a signed statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementFault {
    #[error("The assertion is malformed: {0}.")]
    Malformed(&'static str),
    #[error("The certificate with the thumbprint of the assertion is not registered on the application.")]
    UnknownCertificate,
    #[error("The assertion's signature is not one of the registered certificate's key.")]
    Signature,
    #[error("The certificate is not within its time.")]
    CertificateTime,
    #[error("The assertion is not within its valid time range, or its time range is longer than ten minutes.")]
    Time,
    #[error("The assertion's audience is not this token endpoint.")]
    Audience,
    #[error("The assertion's issuer and subject must both be the application.")]
    Subject,
    #[error("The assertion has been used before.")]
    Used,
    #[error("The application has no federated credentials.")]
    NoFederatedCredential,
    #[error("No federated credential has the assertion's issuer.")]
    FederatedIssuer,
    #[error("No federated credential has the assertion's audience.")]
    FederatedAudience,
    #[error("No federated credential has the assertion's subject.")]
    FederatedSubject,
}

impl StatementFault {
    pub fn code(&self) -> u32 {
        match self {
            Self::Malformed(_) => 50027,
            Self::UnknownCertificate | Self::Signature | Self::CertificateTime => 700027,
            Self::Time => 700024,
            Self::Audience | Self::Used => 50013,
            Self::Subject => 50048,
            Self::NoFederatedCredential => 70025,
            Self::FederatedIssuer => 700211,
            Self::FederatedAudience => 700212,
            Self::FederatedSubject => 700213,
        }
    }
}

/// A statement, taken apart.
struct Statement<'s> {
    header: Value,
    claims: Value,
    /// What was signed.
    signed: &'s str,
    signature: Vec<u8>,
}

impl Registration {
    pub fn with(secrets: HashMap<String, SecretState>) -> Self {
        Self { secrets, ..Self::default() }
    }

    /// Registers the first certificate of a PEM text; nothing if there is none.
    pub fn add_certificate(&mut self, pem: &str) {
        self.certificates.extend(CertificateDer::from_pem_slice(pem.as_bytes()).ok());
    }

    pub fn remove_certificates(&mut self) {
        self.certificates.clear();
    }

    pub fn add_federated_credential(&mut self, credential: FederatedCredential) {
        self.federated.push(credential);
    }

    pub fn check_secret(&self, id: Uuid, secret: &str) -> Result<(), Refusal> {
        match self.secrets.get(secret) {
            Some(SecretState::Valid) => Ok(()),
            Some(SecretState::Expired) => Err(Refusal::ExpiredSecret(id)),
            None => Err(Refusal::Secret(id)),
        }
    }

    /// Judges a client assertion: the application's own, or one of somebody it trusts. `now` is Entra's clock.
    pub fn check_statement(
        &mut self,
        id: Uuid,
        text: &str,
        endpoint: &str,
        tokens: &Tokens,
        now: SystemTime,
    ) -> Result<(), StatementFault> {
        let statement = Statement::parse(text)?;
        if statement.header.get("x5t#S256").is_none() {
            return self.check_federated(text, &statement, tokens, now);
        }
        let thumbprint = statement.header["x5t#S256"].as_str().unwrap_or_default();
        let is_it = |der: &&CertificateDer<'static>| URL_SAFE_NO_PAD.encode(digest(&SHA256, der)) == thumbprint;
        let der = self.certificates.iter().find(is_it).ok_or(StatementFault::UnknownCertificate)?;
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| StatementFault::UnknownCertificate)?;
        if statement.header["alg"] != "PS256" || statement.header["typ"] != "JWT" {
            return Err(StatementFault::Malformed("alg must be PS256, typ JWT"));
        }
        let key = certificate.public_key().subject_public_key.data.as_ref();
        statement.check_signature(&RSA_PSS_2048_8192_SHA256, key)?;
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let validity = certificate.validity();
        let is_valid =
            |seconds: i64| validity.not_before.timestamp() <= seconds && seconds < validity.not_after.timestamp();
        if !i64::try_from(seconds).is_ok_and(is_valid) {
            return Err(StatementFault::CertificateTime);
        }
        let (from, until) = statement.check_time(now)?;
        if until.saturating_sub(from) > LONGEST.as_secs() {
            return Err(StatementFault::Time);
        }
        let id = id.to_string();
        if statement.claims["iss"] != id.as_str() || statement.claims["sub"] != id.as_str() {
            return Err(StatementFault::Subject);
        }
        if statement.claims["aud"] != endpoint {
            return Err(StatementFault::Audience);
        }
        match statement.claims["jti"].as_str() {
            Some(jti) if !jti.is_empty() && self.used.insert(jti.to_owned()) => Ok(()),
            Some(_) => Err(StatementFault::Used),
            None => Err(StatementFault::Malformed("jti is missing")),
        }
    }

    fn check_federated(
        &self,
        text: &str,
        statement: &Statement<'_>,
        tokens: &Tokens,
        now: SystemTime,
    ) -> Result<(), StatementFault> {
        if self.federated.is_empty() {
            return Err(StatementFault::NoFederatedCredential);
        }
        let claim = |name: &str| statement.claims[name].as_str().unwrap_or_default();
        let mut trusted: Vec<&FederatedCredential> = self.federated.iter().collect();
        trusted.retain(|credential| credential.issuer == claim("iss"));
        if trusted.is_empty() {
            return Err(StatementFault::FederatedIssuer);
        }
        trusted.retain(|credential| credential.audience == claim("aud"));
        if trusted.is_empty() {
            return Err(StatementFault::FederatedAudience);
        }
        trusted.retain(|credential| credential.subject == claim("sub"));
        let credential = trusted.first().ok_or(StatementFault::FederatedSubject)?;
        statement.check_time(now)?;
        match &credential.public_key {
            Some(key) => statement.check_signature(&RSA_PKCS1_2048_8192_SHA256, key),
            None => tokens.is_current(text).then_some(()).ok_or(StatementFault::Signature),
        }
    }
}

impl<'s> Statement<'s> {
    fn parse(text: &'s str) -> Result<Self, StatementFault> {
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| StatementFault::Malformed("a part is not base64url without padding"))
        };
        let json = |part: &str| {
            serde_json::from_slice(&decode(part)?).map_err(|_| StatementFault::Malformed("a part is not JSON"))
        };
        let (signed, signature) = text.rsplit_once('.').ok_or(StatementFault::Malformed("it has no three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(StatementFault::Malformed("it has no three parts"))?;
        Ok(Self { header: json(header)?, claims: json(claims)?, signed, signature: decode(signature)? })
    }

    fn check_signature(&self, algorithm: &'static RsaParameters, key: &[u8]) -> Result<(), StatementFault> {
        UnparsedPublicKey::new(algorithm, key)
            .verify(self.signed.as_bytes(), &self.signature)
            .map_err(|_| StatementFault::Signature)
    }

    /// From when until when it is good, in seconds since 1970; five minutes of difference between clocks are forgiven.
    fn check_time(&self, now: SystemTime) -> Result<(u64, u64), StatementFault> {
        let seconds = |name: &str| self.claims[name].as_u64();
        let (Some(from), Some(until)) = (seconds("nbf"), seconds("exp")) else {
            return Err(StatementFault::Malformed("nbf or exp is missing"));
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (earliest, latest) = (now.saturating_sub(FORGIVEN).as_secs(), (now + FORGIVEN).as_secs());
        if from > latest || until < earliest { Err(StatementFault::Time) } else { Ok((from, until)) }
    }
}

/// A client assertion may be good for as long.
const LONGEST: Duration = Duration::from_secs(600);

/// By which clocks may differ.
const FORGIVEN: Duration = Duration::from_secs(300);
