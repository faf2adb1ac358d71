//! Why Entra issues no token, and the error that it sends.

use hyper::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::assertion::AssertionFault;
use crate::simulator::breakage::Breakage;

/// Why a token request is rejected. Every reason has an AADSTS code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenRejection {
    #[error("Only POST requests are accepted here, this was {0}.")]
    Method(String),
    #[error("There is no endpoint at this address.")]
    Endpoint,
    #[error("The request body must be of the type application/x-www-form-urlencoded.")]
    ContentType,
    #[error("The request body must contain the parameter '{0}'.")]
    Missing(&'static str),
    #[error("The request body must contain the parameter 'client_assertion' or 'client_secret'.")]
    MissingCredential,
    #[error("The grant type '{0}' is not supported here.")]
    GrantType(String),
    #[error("The scope '{0}' is not valid: client credentials need one resource followed by /.default.")]
    Scope(String),
    #[error("Tenant '{0}' not found. Check the tenant ID, and that this is the right cloud.")]
    Tenant(String),
    #[error("Application with identifier '{client_id}' was not found in the directory '{tenant}'.")]
    Application { client_id: String, tenant: String },
    #[error("Invalid client secret provided for app '{0}'. Send the secret's value, not its ID.")]
    Secret(Uuid),
    #[error("The client secret provided for app '{0}' is expired.")]
    ExpiredSecret(Uuid),
    #[error("{0}")]
    Assertion(AssertionFault),
    #[error("{message}")]
    Scripted { status: StatusCode, error: String, code: u32, message: String },
}

impl TokenRejection {
    /// The rejection of an application with a valid credential in a set-up that is broken in this way.
    pub fn of(broken: Breakage) -> Option<Self> {
        let (error, code, message) = match broken {
            Breakage::DisabledApplication => ("unauthorized_client", 7000112, "The application is disabled."),
            Breakage::Policy => ("invalid_grant", 53003, "Access has been blocked by Conditional Access policies."),
            Breakage::Subscription => {
                ("invalid_resource", 500011, "The resource principal was not found in the tenant.")
            }
            _ => return None,
        };
        let (error, message) = (error.to_owned(), message.to_owned());
        Some(Self::Scripted { status: StatusCode::BAD_REQUEST, error, code, message })
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::Endpoint => StatusCode::NOT_FOUND,
            Self::Secret(_) | Self::ExpiredSecret(_) | Self::MissingCredential | Self::Assertion(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Scripted { status, .. } => *status,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The OAuth error and the AADSTS number.
    fn codes(&self) -> (&str, u32) {
        match self {
            Self::Method(_) => ("invalid_request", 900561),
            Self::Endpoint => ("invalid_request", 404),
            Self::ContentType | Self::Missing(_) => ("invalid_request", 900144),
            Self::MissingCredential => ("invalid_client", 7000218),
            Self::GrantType(_) => ("unsupported_grant_type", 70003),
            Self::Scope(scope) if scope.ends_with("/.default") => ("invalid_scope", 70011),
            Self::Scope(_) => ("invalid_scope", 1002012),
            Self::Tenant(_) => ("invalid_request", 90002),
            Self::Application { .. } => ("unauthorized_client", 700016),
            Self::Secret(_) => ("invalid_client", 7000215),
            Self::ExpiredSecret(_) => ("invalid_client", 7000222),
            Self::Assertion(fault) => ("invalid_client", fault.code()),
            Self::Scripted { error, code, .. } => (error, *code),
        }
    }

    /// The JSON object that Entra sends.
    pub fn body(&self) -> Value {
        let (error, code) = self.codes();
        let (trace_id, correlation_id, timestamp) = (Uuid::new_v4(), Uuid::new_v4(), timestamp());
        json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {self} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        })
    }
}

/// The current time in the form `2016-01-09 02:02:12Z`.
fn timestamp() -> String {
    let now = OffsetDateTime::now_utc();
    let (year, month, day) = now.to_calendar_date();
    let (hour, minute, second) = now.to_hms();
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}
