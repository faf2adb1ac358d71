//! Why there is no token, with the step of the set-up to fix.

use std::time::Duration;

use hyper::StatusCode;

use super::entra_error::EntraError;
use super::managed_identity_service::ManagedIdentityError;
use crate::entra::certificate::CertificateError;
use crate::guide::Step;
use crate::outbound::{ConnectFailure, Unreachable};
use crate::secret::SecretError;

/// Why a token request failed. The message names the set-up step to fix, and never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The client secret or federated token can't be read.
    #[error("{0}; see {step}", step = Step::Credential)]
    Secret(#[from] SecretError),
    /// The certificate can't be used.
    #[error("{0}; see {step}", step = Step::Credential)]
    Certificate(#[from] CertificateError),
    /// The operating system provides no random numbers for a signature.
    #[error("can't sign with the client certificate: the system provides no random numbers; restart this machine")]
    NoRandomness,
    /// Azure issued no token for the managed identity.
    #[error("{0}; see {step}", step = Step::Credential)]
    ManagedIdentity(#[from] ManagedIdentityError),
    /// Entra rejected the request.
    #[error("{0}")]
    Rejected(EntraError),
    /// No connection to Entra was opened.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The connection failed during the exchange.
    #[error(
        "the connection to Entra at {host} failed before the response ended ({reason}); \
         check the network between this machine and Entra; see {}",
        Step::Connection
    )]
    ConnectionLost {
        /// The authority's host.
        host: String,
        /// The error of the connection.
        reason: String,
    },
    /// The response did not arrive in time.
    #[error(
        "Entra at {host} did not respond within {} s; check the network between this machine and Entra; see {}",
        .after.as_secs_f32(), Step::Connection
    )]
    TimedOut {
        /// The authority's host.
        host: String,
        /// The limit that was exceeded.
        after: Duration,
    },
    /// The response is not one that Entra sends.
    #[error(
        "the server at {host} answered {status}, but not as Entra does ({problem}); \
         an intercepting web proxy may stand between this machine and Entra; see {}",
        Step::Connection
    )]
    NotEntra {
        /// The authority's host.
        host: String,
        /// The status of the response.
        status: StatusCode,
        /// What the response is instead.
        problem: &'static str,
        /// From the header of that name.
        retry_after: Option<Duration>,
    },
}

impl TokenError {
    /// Whether an administrator has to change the set-up before a retry makes sense.
    pub fn needs_setup(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Certificate(_) => true,
            Self::ManagedIdentity(error) => {
                matches!(error, ManagedIdentityError::NoIdentity { .. } | ManagedIdentityError::Variable { .. })
            }
            Self::Rejected(error) => error.needs_setup(),
            Self::NoRandomness
            | Self::Unreachable(_)
            | Self::ConnectionLost { .. }
            | Self::TimedOut { .. }
            | Self::NotEntra { .. } => false,
        }
    }

    /// Whether it may be over in seconds, so that a waiting request is better served by a retry than by the error.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::ConnectionLost { .. } | Self::TimedOut { .. } => true,
            Self::NotEntra { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Unreachable(unreachable) => {
                matches!(
                    unreachable.failure,
                    ConnectFailure::NotListening | ConnectFailure::Timeout | ConnectFailure::Other
                )
            }
            Self::Rejected(_) | Self::ManagedIdentity(_) => !self.needs_setup(),
            Self::Secret(_) | Self::Certificate(_) | Self::NoRandomness => false,
        }
    }

    /// The step of the set-up guide that covers the error; `None` if the set-up is not the cause.
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Secret(_) | Self::Certificate(_) | Self::NoRandomness | Self::ManagedIdentity(_) => {
                Some(Step::Credential)
            }
            Self::Rejected(error) => error.step(),
            Self::Unreachable(unreachable) => Some(unreachable.failure.guide_step()),
            Self::ConnectionLost { .. } | Self::TimedOut { .. } | Self::NotEntra { .. } => Some(Step::Connection),
        }
    }

    /// How long the service asks us to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(EntraError { retry_after, .. })
            | Self::NotEntra { retry_after, .. }
            | Self::ManagedIdentity(ManagedIdentityError::Busy { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    /// Whether Entra may accept another secret of the list.
    pub(super) fn is_about_the_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Rejected(error) => matches!(error.code, Some(7000215 | 7000222)),
            _ => false,
        }
    }
}
