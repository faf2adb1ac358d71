//! Faults of Entra that a test can activate.

use std::sync::Mutex;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use crate::simulator::latch::Latch;
use crate::simulator::lock::lock;
use crate::simulator::times::Times;

/// A fault of the token endpoint.
#[derive(Debug, Clone)]
pub enum Fault {
    /// New connections are closed immediately; a request on an open connection breaks it off.
    Unreachable,
    /// An error in the form that Entra uses.
    Error {
        /// The status of the response.
        status: StatusCode,
        /// The OAuth error, such as `temporarily_unavailable`.
        error: String,
        /// The AADSTS number.
        code: u32,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
    },
    /// A web page with this status, as from an intercepting web proxy.
    Html(StatusCode),
    /// The ordinary response with its JSON changed by this function.
    Changed(fn(&mut serde_json::Value)),
    /// Another response instead of the ordinary one.
    Response {
        /// The status of the response.
        status: StatusCode,
        /// Headers to add.
        headers: Vec<(HeaderName, HeaderValue)>,
        /// The whole body.
        body: Bytes,
    },
    /// The ordinary response, sent only once the latch is open.
    Held(Latch),
}

impl Fault {
    /// A 503 with `temporarily_unavailable`; `retry_after` in seconds.
    pub fn unavailable(retry_after: Option<u32>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::Error { status, error: "temporarily_unavailable".to_owned(), code: 90033, retry_after }
    }

    /// The error with this AADSTS number, and with the status and OAuth error that Entra sends with it.
    pub fn aadsts(code: u32) -> Self {
        let (status, error) = match code {
            7000215 | 70002 | 7000222 | 7000216 | 7000218 | 700027 | 700024 | 500133 | 50012 | 50006 | 50017
            | 900384 | 50013 | 50027 | 50048 | 700030 | 70021 | 700211 | 700212 | 700213 | 7002131 | 70025 | 700229
            | 650052 => (StatusCode::UNAUTHORIZED, "invalid_client"),
            700016 | 700011 | 7000112 | 70001 | 1000031 | 700025 | 650056 | 650057 | 65005 => {
                (StatusCode::BAD_REQUEST, "unauthorized_client")
            }
            70011 | 1002012 | 700022 | 700023 | 28002 | 28003 => (StatusCode::BAD_REQUEST, "invalid_scope"),
            500011 | 50001 => (StatusCode::BAD_REQUEST, "invalid_resource"),
            65001 | 90094 | 90099 | 501051 | 50105 | 53003 | 530032 | 530035 | 53011 | 50131 | 500021 | 500022
            | 50002 | 50196 => (StatusCode::BAD_REQUEST, "invalid_grant"),
            70003 => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            90055 => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            90006 | 90012 | 90024 | 90033 | 90090 | 90091 | 50033 => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            50000 | 90036 => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
            _ => (StatusCode::BAD_REQUEST, "invalid_request"),
        };
        Self::Error { status, error: error.to_owned(), code, retry_after: None }
    }
}

/// The active fault, if any.
#[derive(Default)]
pub(super) struct Faults(Mutex<Option<(Fault, Times)>>);

impl Faults {
    pub fn set(&self, fault: Option<(Fault, Times)>) {
        *lock(&self.0) = fault;
    }

    /// The active fault if it `applies`; this uses it once.
    pub fn take(&self, applies: impl FnOnce(&Fault) -> bool) -> Option<Fault> {
        let mut current = lock(&self.0);
        let (fault, times) = current.as_mut()?;
        (applies(fault) && times.take()).then(|| fault.clone())
    }
}
