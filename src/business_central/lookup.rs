//! Look-ups: requests that bcproxy itself sends to Business Central, for small JSON documents.

use std::collections::HashSet;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};

use crate::bounded_body::{read_body, read_pieces};
use crate::error_chain::root_cause;
use crate::guide::{self, KnownError};
use crate::outbound::{HttpClient, Origin, RequestError, Unreachable, retry_after};

use super::error_envelope::error_code;
use super::metadata::ActionImports;
use super::response_ids::ResponseIds;

/// Why a look-up failed; `what` is its subject, such as "its companies".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Business Central responded with another status than 200.
    #[error("Business Central answered {status} when asked for {what}{}", explanation(*.status, .code.as_deref()))]
    Rejected {
        /// The subject.
        what: &'static str,
        /// The status of the response.
        status: StatusCode,
        /// `error.code` of the response, if it has one.
        code: Option<String>,
        /// `Retry-After` of the response.
        retry_after: Option<Duration>,
        /// The values of `WWW-Authenticate`.
        challenges: Vec<HeaderValue>,
        /// The identifiers of the response.
        ids: Option<Box<ResponseIds>>,
    },
    /// No connection could be opened.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The connection failed during the exchange.
    #[error("the connection to Business Central broke while bcproxy asked for {what} ({reason})")]
    Interrupted {
        /// The subject.
        what: &'static str,
        /// The root cause.
        reason: String,
    },
    /// No complete response arrived in time.
    #[error("Business Central was asked for {what} and did not respond within {} s", .timeout.as_secs_f32())]
    TimedOut {
        /// The subject.
        what: &'static str,
        /// The time limit of the look-up.
        timeout: Duration,
    },
    /// The response is too large, or not the expected document.
    #[error(
        "bcproxy can't parse Business Central's response about {what}; check that `base_url` leads to Business Central"
    )]
    Unreadable {
        /// The subject.
        what: &'static str,
    },
}

impl LookupError {
    /// The known error of the set-up behind a rejection, if any.
    pub fn known_error(&self) -> Option<&'static KnownError> {
        let Self::Rejected { status, code, .. } = self else { return None };
        guide::business_central_error(*status, code.as_deref())
    }

    /// The challenges of a rejection, as received.
    pub fn challenges(&self) -> &[HeaderValue] {
        match self {
            Self::Rejected { challenges, .. } => challenges,
            _ => &[],
        }
    }

    /// The identifiers of the response, if there was one with another status.
    pub fn response_ids(&self) -> Option<Box<ResponseIds>> {
        match self {
            Self::Rejected { ids, .. } => ids.clone(),
            _ => None,
        }
    }

    /// Whether Business Central rejected the token.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Rejected { status: StatusCode::UNAUTHORIZED, .. })
    }
}

fn explanation(status: StatusCode, code: Option<&str>) -> String {
    guide::business_central_error(status, code).map_or_else(String::new, |known| format!(". {known}"))
}

/// The body of a response with status 200; `what` is the subject for errors.
pub async fn get(
    http: &HttpClient,
    url: &str,
    what: &'static str,
    authorization: &HeaderValue,
    timeout: Duration,
) -> Result<Vec<u8>, LookupError> {
    within(timeout, what, async { read(what, request(http, url, what, authorization).await?).await }).await
}

/// The names of the unbound actions in the `$metadata` at this address.
pub async fn unbound_actions(
    http: &HttpClient,
    url: &str,
    authorization: &HeaderValue,
) -> Result<HashSet<String>, LookupError> {
    let what = "its unbound actions";
    let exchange = async {
        let response = request(http, url, what, authorization).await?;
        let mut imports = ActionImports::default();
        let is_whole =
            read_pieces(reqwest::Body::from(response), MAX_METADATA_BYTES, |piece| imports.push(piece)).await;
        check_whole(what, is_whole)?;
        Ok(imports.names)
    };
    within(METADATA_TIMEOUT, what, exchange).await
}

async fn within<T>(
    timeout: Duration,
    what: &'static str,
    exchange: impl Future<Output = Result<T, LookupError>>,
) -> Result<T, LookupError> {
    tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(LookupError::TimedOut { what, timeout }))
}

/// A response with status 200, its body still to be read.
async fn request(
    http: &HttpClient,
    url: &str,
    what: &'static str,
    authorization: &HeaderValue,
) -> Result<reqwest::Response, LookupError> {
    let sent = http.send(http.get(url).header(AUTHORIZATION, authorization)).await;
    let response = sent.map_err(|error| match error {
        RequestError::Connect(error) => {
            let origin = Origin::split(url).map(|(origin, _)| origin);
            Unreachable::business_central(origin.as_ref().map_or(url, Origin::authority), error.as_ref()).into()
        }
        _ => LookupError::Interrupted { what, reason: root_cause(&error) },
    })?;
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    let status = response.status();
    let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter().cloned().collect();
    let (retry_after, ids) = (retry_after(response.headers()), ResponseIds::of(response.headers()));
    // The code is optional: without it, the status is enough.
    let body = read(what, response).await.unwrap_or_default();
    Err(LookupError::Rejected { what, status, code: error_code(&body), retry_after, challenges, ids })
}

async fn read(what: &'static str, response: reqwest::Response) -> Result<Vec<u8>, LookupError> {
    let mut body = Vec::new();
    check_whole(what, read_body(reqwest::Body::from(response), MAX_BYTES, &mut body).await)?;
    Ok(body)
}

/// The error of a body that broke off or is too large.
fn check_whole(what: &'static str, is_whole: Result<bool, reqwest::Error>) -> Result<(), LookupError> {
    match is_whole {
        Ok(true) => Ok(()),
        Ok(false) => Err(LookupError::Unreadable { what }),
        Err(error) => Err(LookupError::Interrupted { what, reason: root_cause(&error) }),
    }
}

/// The largest accepted document; a list of 300 companies has about 150 KiB.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The metadata of a large environment has some 20 MiB.
const MAX_METADATA_BYTES: usize = 256 * 1024 * 1024;

/// Business Central takes a while to write the metadata of a large environment.
const METADATA_TIMEOUT: Duration = Duration::from_secs(60);
