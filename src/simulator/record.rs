//! The record of every Business Central request: what arrived, and what became of it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Version};
use tokio::sync::watch;
use uuid::Uuid;

use super::business_central::Share;

/// How much of a request body is kept, in bytes. All of it is read and counted.
pub const MAX_RECORDED_BODY_BYTES: usize = 1 << 20;

/// A request that reached Business Central, as it is known at this moment.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: Method,
    /// Path and query exactly as they arrived.
    pub target: String,
    pub version: Version,
    pub headers: HeaderMap,
    /// The first [`MAX_RECORDED_BODY_BYTES`] bytes of the body; empty until the body has ended or was cut.
    pub body: Bytes,
    /// How many bytes of the body have arrived.
    pub body_length: u64,
    /// Whether the whole body arrived.
    pub complete: bool,
    /// The application (client) ID in the request's token; `None` when the token is missing or refused.
    pub application: Option<Uuid>,
    /// The status of the answer, once it is decided.
    pub status: Option<StatusCode>,
    pub outcome: Outcome,
    /// The connection it came in on, counted from 1.
    pub connection: u64,
}

impl Received {
    /// Whether the request carried a token that was accepted.
    pub fn token_accepted(&self) -> bool {
        self.application.is_some()
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is being read or answered.
    Pending,
    /// The whole answer was handed to the connection.
    Answered,
    /// The client went away, or the connection was broken off, before the answer was complete.
    Broken,
}

/// Where requests are recorded. Clones write to the same record.
#[derive(Clone)]
pub(super) struct Recorder {
    log: Arc<watch::Sender<Log>>,
    limit: usize,
}

#[derive(Default)]
struct Log {
    /// How many requests were forgotten: the number of the first one kept.
    forgotten: usize,
    requests: Vec<Received>,
}

/// The place of one request in the record. Dropped before the answer is complete, it records that too.
pub(super) struct Entry {
    log: Arc<watch::Sender<Log>>,
    number: usize,
    kept: BytesMut,
    outcome: Outcome,
    share: Option<Share>,
}

impl Recorder {
    /// A record that keeps at least the last `limit` requests and at most twice as many.
    pub fn new(limit: usize) -> Self {
        Self { log: Arc::new(watch::Sender::new(Log::default())), limit: limit.max(1) }
    }

    pub fn begin(&self, head: &Parts, connection: u64, application: Option<Uuid>) -> Entry {
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
                log.forgotten += self.limit;
            }
            number = log.forgotten + log.requests.len();
            log.requests.push(received);
        });
        Entry { log: self.log.clone(), number, kept: BytesMut::new(), outcome: Outcome::Pending, share: None }
    }

    pub fn received(&self) -> Vec<Received> {
        self.log.borrow().requests.clone()
    }

    /// Ends when `predicate` holds; asked again after every change of the record.
    pub async fn wait_for(&self, mut predicate: impl FnMut(&[Received]) -> bool) {
        let mut changes = self.log.subscribe();
        // It can only fail when the sender is gone, which `self` keeps.
        let _ = changes.wait_for(|log| predicate(&log.requests)).await;
    }
}

impl Entry {
    /// Counts a piece of the body and keeps what there is room for.
    pub fn body_data(&mut self, data: &Bytes) {
        let room = MAX_RECORDED_BODY_BYTES.saturating_sub(self.kept.len()).min(data.len());
        self.kept.extend_from_slice(data.get(..room).unwrap_or_default());
        self.update(|received| received.body_length += data.len() as u64);
    }

    /// The body has ended as it should.
    pub fn body_complete(&mut self) {
        let body = self.kept.split().freeze();
        self.update(|received| {
            received.body = body;
            received.complete = true;
        });
    }

    /// The request is in work until it is done with.
    pub fn in_work(&mut self, share: Share) {
        self.share = Some(share);
    }

    pub fn status(&mut self, status: StatusCode) {
        self.update(|received| received.status = Some(status));
    }

    pub fn answered(&mut self) {
        self.outcome = Outcome::Answered;
    }

    fn update(&mut self, change: impl FnOnce(&mut Received)) {
        self.log.send_if_modified(|log| {
            let received = self.number.checked_sub(log.forgotten).and_then(|index| log.requests.get_mut(index));
            received.map(change).is_some()
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let outcome = if self.outcome == Outcome::Answered { Outcome::Answered } else { Outcome::Broken };
        let cut = self.kept.split().freeze();
        // Before anybody can see that it is done.
        self.share = None;
        self.update(|received| {
            received.outcome = outcome;
            if !received.complete {
                received.body = cut;
            }
        });
    }
}
