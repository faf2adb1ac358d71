//! Client assertions: signed JWTs, taken apart and checked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RsaParameters, UnparsedPublicKey};
use serde_json::Value;

/// Why an assertion is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AssertionFault {
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

impl AssertionFault {
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

/// A parsed assertion.
pub(super) struct Assertion<'s> {
    pub header: Value,
    pub claims: Value,
    /// The signed part: header and claims as they were sent.
    signed: &'s str,
    signature: Vec<u8>,
}

/// The accepted difference between clocks.
const CLOCK_SKEW_TOLERANCE: Duration = Duration::from_secs(300);

impl<'s> Assertion<'s> {
    pub fn parse(text: &'s str) -> Result<Self, AssertionFault> {
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| AssertionFault::Malformed("a part is not base64url without padding"))
        };
        let json = |part: &str| {
            serde_json::from_slice(&decode(part)?).map_err(|_| AssertionFault::Malformed("a part is not JSON"))
        };
        let (signed, signature) = text.rsplit_once('.').ok_or(AssertionFault::Malformed("it has no three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(AssertionFault::Malformed("it has no three parts"))?;
        Ok(Self { header: json(header)?, claims: json(claims)?, signed, signature: decode(signature)? })
    }

    pub fn check_signature(&self, algorithm: &'static RsaParameters, key: &[u8]) -> Result<(), AssertionFault> {
        UnparsedPublicKey::new(algorithm, key)
            .verify(self.signed.as_bytes(), &self.signature)
            .map_err(|_| AssertionFault::Signature)
    }

    /// The start and end of its validity, in seconds since 1970, if that includes `now` within the tolerance.
    pub fn check_time(&self, now: SystemTime) -> Result<(u64, u64), AssertionFault> {
        let seconds = |name: &str| self.claims[name].as_u64();
        let (Some(from), Some(until)) = (seconds("nbf"), seconds("exp")) else {
            return Err(AssertionFault::Malformed("nbf or exp is missing"));
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (earliest, latest) =
            (now.saturating_sub(CLOCK_SKEW_TOLERANCE).as_secs(), (now + CLOCK_SKEW_TOLERANCE).as_secs());
        if from > latest || until < earliest { Err(AssertionFault::Time) } else { Ok((from, until)) }
    }
}
