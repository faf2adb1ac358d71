//! What can be wrong with Entra, for a test to switch on.

use std::sync::Mutex;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use crate::simulator::latch::Latch;
use crate::simulator::sync::lock;
use crate::simulator::times::Times;

/// Something wrong with the token endpoint.
#[derive(Debug, Clone)]
pub enum Fault {
    /// New connections are closed at once; a request on an open one ends with it.
    Unreachable,
    /// An answer in Entra's error shape. `error` is OAuth's word (`temporarily_unavailable`), `code` the AADSTS number,
    /// `retry_after` in seconds.
    Error { status: StatusCode, error: String, code: u32, retry_after: Option<u32> },
    /// A web page, as from an intercepting web proxy.
    Html(StatusCode),
    /// The usual answer, if it grants a token, with its JSON changed.
    Changed(fn(&mut serde_json::Value)),
    /// Another answer altogether.
    Response { status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>, body: Bytes },
    /// The request waits for the latch and is then answered as usual.
    Held(Latch),
}

impl Fault {
    /// A 503 that passes.
    pub fn unavailable(retry_after: Option<u32>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::Error { status, error: "temporarily_unavailable".to_owned(), code: 90033, retry_after }
    }

    /// An error with this AADSTS number, and the status and OAuth word that go with it.
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

/// The fault in force, if any.
#[derive(Default)]
pub(super) struct Faults(Mutex<Option<(Fault, Times)>>);

impl Faults {
    pub fn set(&self, fault: Option<(Fault, Times)>) {
        *lock(&self.0) = fault;
    }

    /// The fault for the request or connection at hand, used once more.
    pub fn take(&self, applies: impl FnOnce(&Fault) -> bool) -> Option<Fault> {
        let mut current = lock(&self.0);
        let (fault, times) = current.as_mut()?;
        (applies(fault) && times.take()).then(|| fault.clone())
    }
}
