//! The log of requests to Business Central: what arrived, and how it ended.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Version};
use tokio::sync::watch;
use uuid::Uuid;

use super::throttle::ThrottleSlot;

/// The limit of a logged request body, in bytes. The rest is read and counted, but not stored.
pub const MAX_RECORDED_BODY_BYTES: usize = 1 << 20;

/// A request that reached Business Central, in its current state.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// Path and query exactly as they arrived.
    pub target: String,
    /// The HTTP version.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The first [`MAX_RECORDED_BODY_BYTES`] bytes of the body; empty until the body has ended or was cut off.
    pub body: Bytes,
    /// The number of body bytes that have arrived.
    pub body_length: u64,
    /// Whether the whole body arrived.
    pub complete: bool,
    /// The application (client) ID in the request's token; `None` if the token is missing or rejected.
    pub application: Option<Uuid>,
    /// The status of the response, once it is known.
    pub status: Option<StatusCode>,
    /// How the request ended.
    pub outcome: Outcome,
    /// The number of its connection, counted from 1.
    pub connection: u64,
}

impl Received {
    /// Whether the token of the request was accepted.
    pub fn token_accepted(&self) -> bool {
        self.application.is_some()
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The request is still in progress.
    Pending,
    /// The whole response was handed to the connection.
    Answered,
    /// The client disconnected, or the connection was broken off, before the response was complete.
    Broken,
}

/// The log of requests. All clones write to one log.
#[derive(Clone)]
pub(super) struct RequestLog {
    log: Arc<watch::Sender<LoggedRequests>>,
    limit: usize,
}

#[derive(Default)]
struct LoggedRequests {
    /// The number of requests dropped, which is the number of the oldest one in the log.
    dropped: usize,
    requests: Vec<Received>,
}

/// The entry of one request. If it is dropped before the response is complete, the outcome is [`Outcome::Broken`].
pub(super) struct LogEntry {
    log: Arc<watch::Sender<LoggedRequests>>,
    number: usize,
    body: BytesMut,
    outcome: Outcome,
    slot: Option<ThrottleSlot>,
}

impl RequestLog {
    /// A log of at least the last `limit` requests and at most twice as many.
    pub fn new(limit: usize) -> Self {
        Self { log: Arc::new(watch::Sender::new(LoggedRequests::default())), limit: limit.max(1) }
    }

    pub fn begin(&self, head: &Parts, connection: u64, application: Option<Uuid>) -> LogEntry {
        let received = Received {
            method: head.method.clone(),
            target: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            version: head.version,
            headers: head.headers.clone(),
            body: Bytes::new(),
            body_length: 0,
            complete: false,
            application,
            status: None,
            outcome: Outcome::Pending,
            connection,
        };
        let mut number = 0;
        self.log.send_modify(|log| {
            if log.requests.len() >= self.limit.saturating_mul(2) {
                log.requests.drain(..self.limit);
                log.dropped += self.limit;
            }
            number = log.dropped + log.requests.len();
            log.requests.push(received);
        });
        LogEntry { log: self.log.clone(), number, body: BytesMut::new(), outcome: Outcome::Pending, slot: None }
    }

    pub fn received(&self) -> Vec<Received> {
        self.log.borrow().requests.clone()
    }

    /// Waits until `predicate` holds. It is called again after every change of the log.
    pub async fn wait_for(&self, mut predicate: impl FnMut(&[Received]) -> bool) {
        let mut changes = self.log.subscribe();
        // This fails only if the sender is gone, and `self` holds it.
        let _ = changes.wait_for(|log| predicate(&log.requests)).await;
    }
}

impl LogEntry {
    /// Counts a piece of the body and stores it up to [`MAX_RECORDED_BODY_BYTES`].
    pub fn body_data(&mut self, data: &Bytes) {
        let length = MAX_RECORDED_BODY_BYTES.saturating_sub(self.body.len()).min(data.len());
        self.body.extend_from_slice(data.get(..length).unwrap_or_default());
        self.update(|received| received.body_length += data.len() as u64);
    }

    /// Marks the body as complete.
    pub fn body_complete(&mut self) {
        let body = self.body.split().freeze();
        self.update(|received| {
            received.body = body;
            received.complete = true;
        });
    }

    /// Holds the slot until the request has ended.
    pub fn hold_slot(&mut self, slot: ThrottleSlot) {
        self.slot = Some(slot);
    }

    pub fn status(&mut self, status: StatusCode) {
        self.update(|received| received.status = Some(status));
    }

    pub fn answered(&mut self) {
        self.outcome = Outcome::Answered;
    }

    fn update(&mut self, change: impl FnOnce(&mut Received)) {
        self.log.send_if_modified(|log| {
            let received = self.number.checked_sub(log.dropped).and_then(|index| log.requests.get_mut(index));
            received.map(change).is_some()
        });
    }
}

impl Drop for LogEntry {
    fn drop(&mut self) {
        let outcome = if self.outcome == Outcome::Answered { Outcome::Answered } else { Outcome::Broken };
        let cut = self.body.split().freeze();
        // Released before the outcome becomes visible.
        self.slot = None;
        self.update(|received| {
            received.outcome = outcome;
            if !received.complete {
                received.body = cut;
            }
        });
    }
}
