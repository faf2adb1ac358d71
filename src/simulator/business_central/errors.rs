//! Business Central's errors and their JSON envelope.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;
use uuid::Uuid;

/// Why Business Central rejects a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BusinessCentralError {
    #[error("The server has rejected the client credentials.")]
    InvalidCredentials,
    #[error("Sorry, the current permissions prevented the action. (TableData 18 Customer Read: Base Application)")]
    NoPermission,
    #[error("Environment does not exist.")]
    NoEnvironment,
    #[error("The company \"{0}\" does not exist.")]
    CompanyNotFound(String),
    #[error("No default company was found. Name one with company=[name].")]
    NoCompany,
    #[error("Resource not found for the segment '{0}'.")]
    UnknownSegment(String),
    #[error("The key '{0}' is not understood.")]
    Key(String),
    #[error("The {0} does not exist.")]
    RecordNotFound(&'static str),
    #[error("'{0}' requests are not supported here.")]
    Method(String),
    #[error("The action '{0}' does not exist.")]
    NoAction(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("The field '{0}' is read-only.")]
    ReadOnly(String),
    #[error("The value of '{field}' has {length} characters; the most is {limit}.")]
    TooLong { field: String, length: usize, limit: usize },
    #[error("The {0} already exists.")]
    SameKey(&'static str),
    #[error("A concurrency token is required: send the record's ETag, or *, in If-Match.")]
    NoConcurrencyToken,
    #[error("Another user has already changed the record.")]
    EntityChanged,
    #[error("The request must be of the type {0}, without a content encoding.")]
    ContentType(&'static str),
    #[error("The content encoding is not supported.")]
    Encoding,
    #[error("The request body is too large for the simulator.")]
    TooLarge,
    #[error("A request this one depends on has failed.")]
    Dependency,
    #[error("The notification address '{0}' did not answer the validation request with 200 and the token.")]
    NotValidated(String),
}

impl BusinessCentralError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidCredentials => StatusCode::UNAUTHORIZED,
            Self::NoPermission => StatusCode::FORBIDDEN,
            Self::NoEnvironment
            | Self::CompanyNotFound(_)
            | Self::NoCompany
            | Self::UnknownSegment(_)
            | Self::Key(_)
            | Self::RecordNotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoAction(_) => StatusCode::NOT_IMPLEMENTED,
            Self::BadRequest(_)
            | Self::ReadOnly(_)
            | Self::TooLong { .. }
            | Self::SameKey(_)
            | Self::NotValidated(_) => StatusCode::BAD_REQUEST,
            Self::NoConcurrencyToken => StatusCode::PRECONDITION_FAILED,
            Self::EntityChanged => StatusCode::CONFLICT,
            Self::ContentType(_) | Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Dependency => StatusCode::FAILED_DEPENDENCY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoPermission => "Internal_ServerError",
            Self::InvalidCredentials => "Authentication_InvalidCredentials",
            Self::NoEnvironment => "NoEnvironment",
            Self::CompanyNotFound(_) | Self::NoCompany => "Internal_CompanyNotFound",
            Self::UnknownSegment(_) => "BadRequest_ResourceNotFound",
            Self::Key(_) => "BadRequest_NotFound",
            Self::RecordNotFound(_) => "Internal_RecordNotFound",
            Self::Method(_) => "BadRequest_MethodNotAllowed",
            Self::NoAction(_) => "BadRequest_MethodNotImplemented",
            Self::BadRequest(_)
            | Self::ContentType(_)
            | Self::Encoding
            | Self::TooLarge
            | Self::Dependency
            | Self::NotValidated(_) => "BadRequest",
            Self::ReadOnly(_) => "BadRequest_InvalidOperation",
            Self::TooLong { .. } => "Application_StringExceededLength",
            Self::SameKey(_) => "Internal_EntityWithSameKeyExists",
            Self::NoConcurrencyToken => "BadRequest_InvalidToken",
            Self::EntityChanged => "Request_EntityChanged",
        }
    }

    /// The JSON envelope, with two spaces on either side of `CorrelationId:` like the real one.
    pub fn envelope(&self) -> Response<Bytes> {
        let message = match self {
            Self::NoEnvironment => self.to_string(),
            _ => format!("{self}  CorrelationId:  {}.", Uuid::new_v4()),
        };
        let body = json!({"error": {"code": self.code(), "message": message}});
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = self.status();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json; odata.metadata=minimal"));
        if *self == Self::InvalidCredentials {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
