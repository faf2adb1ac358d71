//! An answer that is at hand, as it came from Business Central: nothing in it is turned yet, so that it fits whoever asks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use hyper::http::response;
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::key::HEADER_OVERHEAD;
use crate::proxy::dispatch::upstream::UpstreamBody;

/// An answer with all of its body.
#[derive(Debug)]
pub struct Kept {
    pub status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    came: Instant,
    /// How old it was when it came.
    age: Duration,
    _room: Arc<OwnedSemaphorePermit>,
}

/// A body that takes room for as long as anybody has a piece of it, however slow that one reads.
struct Roomy {
    bytes: Vec<u8>,
    _room: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Roomy {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Kept {
    /// `body`: copied, since its pieces may lie in far larger buffers.
    pub fn new(head: response::Parts, body: Vec<u8>, room: OwnedSemaphorePermit) -> Self {
        let room = Arc::new(room);
        let mut headers = head.headers;
        let age = headers.remove(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        Self {
            status: head.status,
            headers,
            body: Bytes::from_owner(Roomy { bytes: body, _room: room.clone() }),
            came: Instant::now(),
            age: age.unwrap_or_default(),
            _room: room,
        }
    }

    /// How much memory a head takes, in bytes.
    pub fn size_of_head(headers: &HeaderMap) -> usize {
        let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD);
        size_of::<Self>() + lines.sum::<usize>()
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub fn age(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.came)
    }

    /// The whole of it.
    pub fn answer(&self) -> Response<UpstreamBody> {
        let mut answer = Response::new(UpstreamBody::buffered(self.body.clone()));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers.clone();
        answer
    }

    /// Its head, for a client that has the rest (RFC 9110, section 15.4.5).
    pub fn not_modified(&self) -> Response<UpstreamBody> {
        let mut answer = Response::new(UpstreamBody::buffered(Bytes::new()));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        let headers = answer.headers_mut();
        *headers = self.headers.clone();
        for name in [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_LANGUAGE] {
            headers.remove(name);
        }
        answer
    }
}
