//! Rejections: the errors that bcproxy itself answers requests with.

use std::fmt::Display;
use std::time::Duration;

use hyper::StatusCode;

use crate::business_central::address::AddressError;
use crate::business_central::batch::BatchError;
use crate::business_central::companies::MatchError;
use crate::business_central::lookup::LookupError;
use crate::business_central::{Dialect, PathError, ResponseIds};
use crate::entra::TokenUnavailable;
use crate::guide::{KnownError, RejectionCode, Step};
use crate::outbound;
use crate::sentence::sentence;

/// A rejected request: the kind of error, and a message that says what to do.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// The kind, which decides about status and code.
    pub kind: Kind,
    /// What happened, where, and what to do.
    pub message: String,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
    /// The identifiers of the response of Business Central that led to it, if one did.
    pub response_ids: Option<Box<ResponseIds>>,
    /// The step of the set-up that fixes it, where it is known.
    pub step: Option<Step>,
}

/// The kinds of rejections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    BadRequest,
    /// `Host` is missing, ambiguous or no host; the connection closes with it.
    InvalidHost,
    /// The handshake failed; the connection closes with it.
    BrokenHandshake,
    NotAllowed,
    /// The client did not prove who it is; it is challenged with these schemes.
    Unauthenticated {
        ntlm: bool,
        basic: bool,
        /// Whether it sent nothing yet: most clients send credentials only when they are asked for, each time anew.
        is_first: bool,
    },
    /// The host name is not one of ours.
    UnknownHost,
    NoRoute,
    UnknownCompany,
    MethodNotAllowed,
    RequestTimeout,
    TooLarge,
    UnsupportedMediaType,
    NotImplemented,
    UnknownEnvironment,
    /// `setup`: somebody has to fix the set-up; otherwise the condition passes.
    NoToken {
        setup: bool,
    },
    /// Memory or disk for clients is full.
    Overloaded,
    /// The limiter's queue is full, or its deadline passed.
    Busy,
    CredentialsRejected,
    Unreachable(outbound::ConnectFailure),
    ResponseBroken,
    ResponseTimeout,
    /// The client aborted its request.
    ClientGone,
    /// The client left before it was answered. Nobody reads the response, and none is recorded.
    ClientLeft,
    Internal,
}

impl Kind {
    /// Status, code, and the error type of `Proxy-Status` (RFC 9209, section 2.3).
    pub fn describe(self) -> (StatusCode, RejectionCode, &'static str) {
        use RejectionCode as Code;
        let (code, error_type) = match self {
            Self::BadRequest | Self::InvalidHost => (Code::BadRequest, "http_request_error"),
            Self::BrokenHandshake => (Code::BrokenHandshake, "http_request_error"),
            Self::NotAllowed => (Code::NotAllowed, "http_request_denied"),
            Self::Unauthenticated { .. } => (Code::Unauthenticated, "http_request_denied"),
            Self::UnknownHost => (Code::UnknownHost, "http_request_denied"),
            Self::NoRoute => (Code::NoRoute, "destination_not_found"),
            Self::UnknownCompany => (Code::UnknownCompany, "destination_not_found"),
            Self::MethodNotAllowed => (Code::MethodNotAllowed, "http_request_denied"),
            Self::RequestTimeout => (Code::RequestTimeout, "http_request_error"),
            Self::TooLarge => (Code::TooLarge, "http_request_error"),
            Self::UnsupportedMediaType => (Code::UnsupportedMediaType, "http_request_error"),
            Self::NotImplemented => (Code::NotImplemented, "http_request_denied"),
            Self::UnknownEnvironment => (Code::UnknownEnvironment, "proxy_configuration_error"),
            Self::NoToken { setup: true } => (Code::NoToken, "proxy_configuration_error"),
            Self::NoToken { setup: false } => (Code::NoToken, "destination_unavailable"),
            Self::Overloaded => (Code::Overloaded, "proxy_internal_error"),
            Self::Busy => (Code::Busy, "connection_limit_reached"),
            Self::CredentialsRejected => (Code::CredentialsRejected, "proxy_configuration_error"),
            Self::Unreachable(step) => (Code::Unreachable, proxy_status(step)),
            Self::ResponseBroken => (Code::ResponseBroken, "http_response_incomplete"),
            Self::ResponseTimeout => (Code::ResponseTimeout, "http_response_timeout"),
            Self::ClientGone | Self::ClientLeft => (Code::ClientGone, "http_request_error"),
            Self::Internal => (Code::Internal, "proxy_internal_error"),
        };
        let status = match self {
            // Without a challenge it is no 401 (RFC 9110, section 15.5.2).
            Self::Unauthenticated { ntlm: false, basic: false, .. } => StatusCode::FORBIDDEN,
            _ => code.status(),
        };
        (status, code, error_type)
    }

    /// The status that a client of this dialect gets.
    pub fn status(self, dialect: Dialect) -> StatusCode {
        let (intended, ..) = self.describe();
        match self {
            // A handshake is no SOAP call yet: clients only read the status.
            Self::BrokenHandshake | Self::Unauthenticated { .. } => intended,
            _ => dialect.status(intended),
        }
    }
}

fn proxy_status(step: outbound::ConnectFailure) -> &'static str {
    match step {
        outbound::ConnectFailure::Name => "dns_error",
        outbound::ConnectFailure::NotListening => "connection_refused",
        outbound::ConnectFailure::Timeout => "connection_timeout",
        outbound::ConnectFailure::Tls => "tls_certificate_error",
        outbound::ConnectFailure::Proxy | outbound::ConnectFailure::Other => "destination_unavailable",
    }
}

impl Rejection {
    /// A rejection without `Retry-After`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, response_ids: None, step: None }
    }

    /// There is no memory or no disk for what a request makes the proxy hold; `why` completes "The request can't be
    /// held: …".
    pub fn overloaded(why: impl Display) -> Self {
        let message =
            format!("The request can't be held: {why}. Nothing was carried out. Send the request again later.");
        Self::new(Kind::Overloaded, message).retry_after(OVERLOAD_PAUSE)
    }

    /// The client left before it was answered.
    pub fn client_left() -> Self {
        Self::new(Kind::ClientLeft, "The client disconnected before it was answered.")
    }

    /// All applications of the connector were tried.
    pub fn no_application() -> Self {
        Self::new(Kind::Internal, "All applications of the connector failed. See bcproxy's log for the reason of each.")
    }

    /// Every application of the connector is another client's.
    pub fn no_shared_application() -> Self {
        let message = "Every application of the connector belongs to another client (`client_id` in `clients` of proxy.yaml). Add an \
                       application for other clients, or an entry for this one.";
        Self::new(Kind::NotAllowed, message)
    }

    /// Business Central's response failed before any of it was forwarded.
    pub fn broken_response(error: impl Display) -> Self {
        let message = format!(
            "Business Central's response broke off ({error}). The request may have been carried out: check before \
             repeating it."
        );
        Self::new(Kind::ResponseBroken, message)
    }

    /// The same, with a further sentence.
    pub fn followed_by(self, sentence: &str) -> Self {
        Self { message: self.message + sentence, ..self }
    }

    /// The same, with `Retry-After`.
    pub fn retry_after(self, pause: Duration) -> Self {
        Self { retry_after: Some(pause), ..self }
    }

    /// The same, fixed by a step of the set-up.
    pub fn at(self, step: impl Into<Option<Step>>) -> Self {
        Self { step: step.into(), ..self }
    }

    /// The same, caused by a response with these identifiers.
    pub fn caused_by(self, response_ids: Option<Box<ResponseIds>>) -> Self {
        Self { response_ids, ..self }
    }
}

impl From<PathError> for Rejection {
    fn from(error: PathError) -> Self {
        Self::new(Kind::BadRequest, sentence(&error.to_string()))
    }
}

impl From<AddressError> for Rejection {
    fn from(error: AddressError) -> Self {
        let kind = match &error {
            AddressError::Path(_)
            | AddressError::NoCompany
            | AddressError::TwoCompanies { .. }
            | AddressError::UnbalancedFilter
            | AddressError::NotBelowRoute { .. }
            | AddressError::MisplacedBatch => Kind::BadRequest,
            AddressError::OtherCompany { .. }
            | AddressError::RootExpression { .. }
            | AddressError::BelowCompanyList { .. }
            | AddressError::OtherTarget { .. }
            | AddressError::WebhookResource { .. }
            | AddressError::Tenant => Kind::NotAllowed,
            AddressError::NotSoap | AddressError::NotNav => Kind::NoRoute,
            AddressError::ODataV3 { .. } => Kind::NotImplemented,
        };
        Self::new(kind, sentence(&error.to_string()))
    }
}

impl From<BatchError> for Rejection {
    fn from(error: BatchError) -> Self {
        Self::new(Kind::BadRequest, sentence(&error.to_string()))
    }
}

impl From<MatchError> for Rejection {
    fn from(error: MatchError) -> Self {
        Self::new(Kind::UnknownCompany, sentence(&format!("{error}; see {}", Step::Company))).at(Step::Company)
    }
}

impl From<LookupError> for Rejection {
    fn from(error: LookupError) -> Self {
        let kind = match &error {
            LookupError::Rejected { .. } if error.known_error().is_some_and(KnownError::needs_setup) => {
                Kind::CredentialsRejected
            }
            LookupError::Rejected { status: StatusCode::TOO_MANY_REQUESTS, .. } => Kind::Busy,
            LookupError::Rejected { .. } | LookupError::Interrupted { .. } | LookupError::Unreadable { .. } => {
                Kind::ResponseBroken
            }
            LookupError::Unreachable(unreachable) => Kind::Unreachable(unreachable.failure),
            LookupError::TimedOut { .. } => Kind::ResponseTimeout,
        };
        let step = match &error {
            LookupError::Unreachable(unreachable) => Some(unreachable.failure.guide_step()),
            _ => error.known_error().and_then(|known| known.step),
        };
        let rejection = Self::new(kind, sentence(&error.to_string())).caused_by(error.response_ids()).at(step);
        match error {
            LookupError::Rejected { retry_after: Some(pause), .. } => rejection.retry_after(pause),
            _ => rejection,
        }
    }
}

impl From<TokenUnavailable> for Rejection {
    fn from(unavailable: TokenUnavailable) -> Self {
        let setup = unavailable.error.needs_setup();
        Self::new(Kind::NoToken { setup }, sentence(&unavailable.to_string()))
            .retry_after(unavailable.retry_after())
            .at(unavailable.error.step())
    }
}

/// When a client may try again that found memory or disk full.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(5);
