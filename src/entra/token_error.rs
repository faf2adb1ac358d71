//! Why there is no token, in words that name the step of the set-up to mend.

use std::time::Duration;

use hyper::StatusCode;

use super::clock::ClockSkew;
use super::credential::CertificateError;
use super::managed_identity::IdentityError;
use crate::guide::{self, KnownError, Step};
use crate::outbound::Unreachable;
use crate::secret::SecretError;

/// Why there is no token: a sentence that names the step to mend. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{0}; see {step}", step = Step::Credential)]
    Secret(#[from] SecretError),
    #[error("{0}; see {step}", step = Step::Credential)]
    Certificate(#[from] CertificateError),
    #[error("the client certificate can't sign: the system gives no random numbers; restart this machine")]
    NoRandomness,
    #[error("{0}; see {step}", step = Step::Credential)]
    Identity(#[from] IdentityError),
    #[error("{0}")]
    Refused(EntraError),
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error(
        "the connection to Entra at {host} broke before it answered ({reason}); check the network between this machine and it; see {}",
        Step::Connection
    )]
    Broken { host: String, reason: String },
    #[error(
        "Entra at {host} did not answer within {} s; check the network between this machine and it; see {}",
        .after.as_secs_f32(), Step::Connection
    )]
    TimedOut { host: String, after: Duration },
    #[error(
        "{host} answered {status} with something that is not Entra's ({problem}); \
         an intercepting web proxy may stand between this machine and Entra; see {}",
        Step::Connection
    )]
    NotEntra { host: String, status: StatusCode, problem: &'static str, retry_after: Option<Duration> },
}

/// An error in Entra's own words and ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntraError {
    pub status: StatusCode,
    /// OAuth's word: `invalid_client`, `temporarily_unavailable` …
    pub error: String,
    /// The number behind `AADSTS`.
    pub code: Option<u32>,
    /// For a support ticket at Microsoft.
    pub correlation_id: Option<String>,
    pub retry_after: Option<Duration>,
    /// How wrong this machine's clock is, as the answer showed.
    pub clock: Option<ClockSkew>,
}

impl TokenError {
    /// Whether somebody has to change the set-up before it makes sense to ask again.
    pub fn needs_setup(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Certificate(_) => true,
            Self::Identity(error) => error.needs_setup(),
            Self::Refused(error) => error.needs_setup(),
            Self::NoRandomness
            | Self::Unreachable(_)
            | Self::Broken { .. }
            | Self::TimedOut { .. }
            | Self::NotEntra { .. } => false,
        }
    }

    /// The step of the set-up guide to look at; `None` when nothing of the set-up is to blame.
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Secret(_) | Self::Certificate(_) | Self::NoRandomness | Self::Identity(_) => Some(Step::Credential),
            Self::Refused(error) => error.step(),
            Self::Unreachable(unreachable) => Some(unreachable.failure.guide_step()),
            Self::Broken { .. } | Self::TimedOut { .. } | Self::NotEntra { .. } => Some(Step::Connection),
        }
    }

    /// How long Entra wants not to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(EntraError { retry_after, .. }) | Self::NotEntra { retry_after, .. } => *retry_after,
            Self::Identity(error) => error.retry_after(),
            _ => None,
        }
    }

    /// Whether another secret of the list could be accepted.
    pub(super) fn is_about_the_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Refused(error) => matches!(error.code, Some(7000215 | 7000222)),
            _ => false,
        }
    }
}

impl EntraError {
    /// What is known of its code.
    pub fn trouble(&self) -> Option<&'static KnownError> {
        self.code.and_then(guide::aadsts)
    }

    fn tell_the_time(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.clock {
            Some(skew) => write!(f, " Also, {skew}."),
            None => Ok(()),
        }
    }

    pub(super) fn needs_setup(&self) -> bool {
        match self.trouble() {
            Some(trouble) => trouble.needs_setup(),
            None => self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What Entra said, without what it means.
    pub fn summary(&self) -> String {
        let code = self.code.map_or_else(String::new, |code| format!(", AADSTS{code}"));
        let id = self.correlation_id.as_ref().map_or_else(String::new, |id| format!(", correlation id {id}"));
        format!("Entra issues no token ({}{code}{id})", self.error)
    }

    /// Where no code is known, OAuth's word tells the direction (RFC 6749, section 5.2).
    fn step(&self) -> Option<Step> {
        if let Some(trouble) = self.trouble() {
            return trouble.step;
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

impl std::fmt::Display for EntraError {
    /// Entra's description is left out: it is localised, long, and repeats what a request held.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. ", self.summary())?;
        match (self.trouble(), self.code) {
            (Some(trouble), _) => {
                trouble.fmt(f)?;
                return self.tell_the_time(f);
            }
            (None, Some(code)) => {
                write!(f, "What it means stands at https://login.microsoftonline.com/error?code={code}.")?;
            }
            (None, None) => write!(f, "It answered {}; bcproxy tries again by itself.", self.status)?,
        }
        if let Some(step) = self.step() {
            write!(f, " See {step}.")?;
        }
        self.tell_the_time(f)
    }
}
