//! An error response of Entra, and what it means for the set-up.

use std::fmt;
use std::time::Duration;

use hyper::StatusCode;

use crate::entra::clock::ClockSkew;
use crate::guide::{self, KnownError, Step};

/// An error response of Entra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraError {
    /// The status of the response.
    pub status: StatusCode,
    /// The OAuth error code: `invalid_client`, `temporarily_unavailable` …
    pub error: String,
    /// The number after `AADSTS`.
    pub code: Option<u32>,
    /// For a support request to Microsoft.
    pub correlation_id: Option<String>,
    /// How long Entra asks us to wait.
    pub retry_after: Option<Duration>,
    /// The error of this machine's clock, measured on the response.
    pub clock_skew: Option<ClockSkew>,
    /// How to grant admin consent, where that is missing: a complete sentence.
    pub consent_advice: Option<Box<str>>,
}

impl EntraError {
    /// What the guide knows about the code.
    pub fn known_error(&self) -> Option<&'static KnownError> {
        self.code.and_then(guide::aadsts)
    }

    /// What Entra answered, without its meaning.
    pub fn summary(&self) -> String {
        let code = self.code.map_or_else(String::new, |code| format!(", AADSTS{code}"));
        let id = self.correlation_id.as_ref().map_or_else(String::new, |id| format!(", correlation ID {id}"));
        format!("Entra issued no token ({}{code}{id})", self.error)
    }

    /// Whether an administrator has to change the set-up before a retry makes sense.
    pub(super) fn needs_setup(&self) -> bool {
        match self.known_error() {
            Some(known) => known.needs_setup(),
            None => self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The step of the set-up guide. For an unknown number the OAuth error code decides (RFC 6749, section 5.2).
    pub(super) fn step(&self) -> Option<Step> {
        if let Some(known) = self.known_error() {
            return known.step;
        }
        match self.error.as_str() {
            "invalid_client" => Some(Step::Credential),
            "unauthorized_client" => Some(Step::Application),
            "invalid_resource" => Some(Step::Subscription),
            "invalid_scope" | "invalid_request" | "unsupported_grant_type" => Some(Step::Configuration),
            _ => None,
        }
    }
}

impl fmt::Display for EntraError {
    /// Leaves out Entra's description: it is long, localized, and repeats parts of the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. ", self.summary())?;
        match (self.known_error(), self.code) {
            (Some(known), _) => known.fmt(f)?,
            (None, Some(code)) => {
                write!(f, "See https://login.microsoftonline.com/error?code={code} for its meaning.")?;
            }
            (None, None) => write!(f, "The status was {}. bcproxy retries automatically.", self.status)?,
        }
        // What the guide knows names its step.
        if let (None, Some(step)) = (self.known_error(), self.step()) {
            write!(f, " See {step}.")?;
        }
        if let Some(advice) = &self.consent_advice {
            write!(f, " {advice}")?;
        }
        self.clock_skew.map_or(Ok(()), |skew| write!(f, " Also, {skew}."))
    }
}
