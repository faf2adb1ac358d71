//! A whole response in memory, as it came from Business Central: nothing is rewritten yet, so it fits every client.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use hyper::http::response;
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::key::HEADER_OVERHEAD;
use crate::proxy::upstream::UpstreamBody;

/// A response with its whole body.
#[derive(Debug)]
pub struct CachedResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Bytes,
    received_at: Instant,
    /// Its age when it was received (RFC 9111, section 5.1).
    age: Duration,
}

/// A body that holds its share of the budget as long as any client has a piece of it, however slowly that client reads.
struct BudgetedBytes {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for BudgetedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl CachedResponse {
    /// `body` is a copy: the original pieces may lie in far larger buffers.
    pub fn new(head: response::Parts, body: Vec<u8>, budget: OwnedSemaphorePermit) -> Self {
        let mut headers = head.headers;
        let age = headers.remove(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        Self {
            status: head.status,
            headers,
            body: Bytes::from_owner(BudgetedBytes { bytes: body, _permit: budget }),
            received_at: Instant::now(),
            age: age.unwrap_or_default(),
        }
    }

    /// Memory of a head, in bytes.
    pub fn size_of_head(headers: &HeaderMap) -> usize {
        let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD);
        size_of::<Self>() + lines.sum::<usize>()
    }

    pub fn age(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.received_at)
    }

    /// The whole response.
    pub fn response(&self) -> Response<UpstreamBody> {
        let mut response = Response::new(UpstreamBody::buffered(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }

    /// Its head, for a client that has this version already (RFC 9110, section 15.4.5).
    pub fn not_modified(&self) -> Response<UpstreamBody> {
        let mut response = self.response().map(|_| UpstreamBody::buffered(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for name in [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_LANGUAGE] {
            response.headers_mut().remove(name);
        }
        response
    }
}
