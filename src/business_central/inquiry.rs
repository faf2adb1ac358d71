//! What bcproxy itself asks Business Central: small documents of JSON, read whole.

use std::error::Error;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};

use crate::error_chain::root_cause;
use crate::guide::{self, KnownError};
use crate::outbound::{HttpClient, HttpResponse, RequestError, Unreachable};

use super::error_envelope::error_code;

/// Why a question found no answer; `what` was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    #[error("Business Central answered {status} when asked for {what}{}", explained(*.status, .code.as_deref()))]
    Refused {
        what: &'static str,
        status: StatusCode,
        /// `error.code`, where it says one.
        code: Option<String>,
        /// The values of `WWW-Authenticate`.
        challenges: Vec<HeaderValue>,
    },
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("the connection to Business Central broke while it was asked for {what} ({reason})")]
    Broken { what: &'static str, reason: String },
    #[error("Business Central was asked for {what} and did not answer within {} s", .timeout.as_secs_f32())]
    TimedOut { what: &'static str, timeout: Duration },
    #[error(
        "what Business Central answered when asked for {what} can't be read; look whether `base_url` leads to Business Central"
    )]
    Unreadable { what: &'static str },
}

impl LookupError {
    /// What a refusal says about the set-up, if anything.
    pub fn trouble(&self) -> Option<&'static KnownError> {
        match self {
            Self::Refused { status, code, .. } => guide::business_central_error(*status, code.as_deref()),
            Self::Unreachable(_) | Self::Broken { .. } | Self::TimedOut { .. } | Self::Unreadable { .. } => None,
        }
    }

    /// What a refusal wants to see instead, as it was written.
    pub fn challenges(&self) -> &[HeaderValue] {
        match self {
            Self::Refused { challenges, .. } => challenges,
            _ => &[],
        }
    }

    /// Whether the token was not taken.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::UNAUTHORIZED, .. })
    }
}

fn explained(status: StatusCode, code: Option<&str>) -> String {
    guide::business_central_error(status, code).map_or_else(String::new, |trouble| format!(". {trouble}"))
}

/// The body of Business Central's answer 200; `what` it is, errors say.
pub async fn get(
    http: &HttpClient,
    url: &str,
    what: &'static str,
    authorization: &HeaderValue,
    timeout: Duration,
) -> Result<Vec<u8>, LookupError> {
    let exchange = async {
        let mut answer = http.get(url, authorization).await.map_err(|error| failed(url, what, error))?;
        if answer.status() != StatusCode::OK {
            let status = answer.status();
            let challenges = answer.headers().get_all(WWW_AUTHENTICATE).iter().cloned().collect();
            // The code only explains; the status says enough when it can't be read.
            let body = read(url, what, &mut answer).await.unwrap_or_default();
            return Err(LookupError::Refused { what, status, code: error_code(&body), challenges });
        }
        read(url, what, &mut answer).await
    };
    tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(LookupError::TimedOut { what, timeout }))
}

async fn read(url: &str, what: &'static str, answer: &mut HttpResponse) -> Result<Vec<u8>, LookupError> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| failed(url, what, error))? {
        if body.len() + piece.len() > MAX_BYTES {
            return Err(LookupError::Unreadable { what });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// That no connection could be made to where this address leads.
pub fn unreachable(url: &str, error: &(dyn Error + 'static)) -> Unreachable {
    Unreachable::business_central(url.split('/').nth(2).unwrap_or_default(), error)
}

fn failed(url: &str, what: &'static str, error: RequestError) -> LookupError {
    match error {
        RequestError::Connect(error) => LookupError::Unreachable(unreachable(url, &error)),
        _ => LookupError::Broken { what, reason: root_cause(&error) },
    }
}

/// The largest document: 300 companies take about 150 KiB.
const MAX_BYTES: usize = 4 * 1024 * 1024;
