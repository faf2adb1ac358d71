//! The record of a request whose response has ended: it is counted, and written to the access log as one line.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::http::response::Parts;
use time::OffsetDateTime;

use super::observed_clients::Counted;
use super::problems::Failure;
use super::spans::spans;
use super::tally::Outcome;
use super::traffic::Ended;
use crate::business_central::ResponseIds;
use crate::config::Share;
use crate::guide::RejectionCode;
use crate::proxy::downstream::client::min_rate::MIN_BYTES_PER_SECOND;
use crate::proxy::downstream::client::{CONTENDED_IDLE, Stall};
use crate::proxy::exchange::Exchange;
use crate::telemetry;

/// What is counted and logged of one request when this is dropped.
#[derive(Debug)]
pub struct AccessRecord {
    pub exchange: Arc<Exchange>,
    pub outcome: Outcome,
    /// Bytes of the response's body handed to the client.
    pub bytes: u64,
    /// The code of a rejection; `None` for Business Central's responses.
    pub rejection: Option<RejectionCode>,
    /// The identifiers of Business Central's response, if it has some and they are shown.
    pub response_ids: Option<Box<ResponseIds>>,
    status: Option<StatusCode>,
    reason: Option<String>,
}

impl AccessRecord {
    /// `status`: `None` when the client left before it was answered. `reason`: why the response is our own, or what
    /// Business Central's error response says.
    pub fn new(exchange: Arc<Exchange>, status: Option<StatusCode>, reason: Option<String>) -> Self {
        Self { exchange, outcome: Outcome::ClientLeft, bytes: 0, rejection: None, response_ids: None, status, reason }
    }

    /// The identifiers of a response of Business Central, if they are shown: in a problem or in the log.
    pub fn ids_of(exchange: &Exchange, head: &Parts) -> Option<Box<ResponseIds>> {
        let log = &exchange.snapshot.request_log;
        let is_logged = || log.successes.is_some() || log.is_slow(exchange.started.elapsed());
        let is_shown = head.status >= StatusCode::BAD_REQUEST || exchange.trace.is_some() || is_logged();
        is_shown.then(|| exchange.response_ids(&head.headers)).flatten()
    }

    /// The status of the response; `None` when the client left before it was answered.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Why the response is our own, or what Business Central's error response says.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The client was disconnected because it read too slowly.
    pub fn stalled(&mut self, stall: Stall, idle: Duration) {
        self.outcome = Outcome::ClientStalled;
        let (longest_pause, why) = match stall {
            Stall::Overdue => (idle, "`body_idle`"),
            Stall::Blocking => (CONTENDED_IDLE, "while others waited for its permit"),
        };
        self.reason = Some(format!(
            "The client read nothing of its response for {} s ({why}), or less than {MIN_BYTES_PER_SECOND} bytes a second for longer. \
             It was disconnected to release its permit. Have it read a response to its end before processing it, or request less at once.",
            longest_pause.as_secs_f32()
        ));
    }

    /// Whether the client got at once what it asked for, or the challenge of a handshake.
    fn is_success(&self) -> bool {
        let is_good = self.status.is_some_and(|status| status.as_u16() < 400) && self.reason.is_none();
        match self.outcome {
            Outcome::Handshake => true,
            Outcome::Complete => is_good && self.exchange.notes.attempts() <= 1,
            Outcome::ClientLeft | Outcome::ClientStalled | Outcome::BrokenUpstream => false,
        }
    }

    /// Writes the line. That of a slow request has the time of each stage.
    fn log(&self, total: Duration, is_slow: bool, share: Share) {
        let Self { exchange, outcome, bytes, response_ids, status, reason, .. } = self;
        let (notes, stages) = (&exchange.notes, &exchange.notes.stages);
        let route = notes.route().map(|route| route.settings.path.to_string());
        let milliseconds = |duration: Duration| duration.as_micros() as f64 / 1000.0;
        // Client input is logged as a string, never through Display: the log escapes strings. Query values are not
        // logged.
        macro_rules! line {
            ($log:ident, $upstream:expr $(, $stage:ident = $took:expr)* $(; $message:literal)?) => {
                tracing::$log!(
                    target: telemetry::ACCESS,
                    id = %exchange.id,
                    trace_id = exchange.trace.as_ref().map(|trace| tracing::field::display(trace.id)),
                    span_id = exchange.trace.as_ref().map(|trace| tracing::field::display(trace.span)),
                    client = %exchange.ip,
                    route = route.as_deref(),
                    method = exchange.method.as_str(),
                    path = exchange.uri.path(),
                    status = status.map(|status| status.as_u16()),
                    bytes,
                    $($stage = $took.map(milliseconds),)*
                    queue_ms = notes.queued().map(|queued| milliseconds(queued.waited)),
                    queue_before = notes.queued().and_then(|queued| queued.ahead),
                    attempts = Some(notes.attempts()).filter(|attempts| *attempts > 0),
                    client_id = notes.application().map(tracing::field::display),
                    upstream_ms = $upstream.map(milliseconds),
                    total_ms = milliseconds(total),
                    client_request_id = notes.client_request_id(),
                    bc_request_id = response_ids.as_ref().and_then(|ids| ids.request_id()),
                    bc_correlation_id = response_ids.as_ref().and_then(|ids| ids.correlation_id()),
                    token_age_s = notes.token_age.get().map(|age| age.as_secs()),
                    cache = notes.cache.get().map(|use_| use_.as_str()),
                    outcome = outcome.as_str(),
                    credentials = exchange.credentials.as_str(),
                    http = exchange.http_version(),
                    identity = notes.identity(),
                    client_name = notes.client_name(),
                    user_agent = exchange.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes())).as_deref(),
                    reason = reason.as_deref(),
                    sampled = share.weight(),
                    $($message)?
                )
            };
        }
        if is_slow {
            line!(
                warn,
                stages.upstream(),
                receive_ms = stages.receive(),
                token_ms = stages.token(),
                transfer_ms = stages.transfer(total);
                "slow request"
            );
        } else {
            line!(info, stages.first_upstream());
        }
    }

    /// `total`: from the request's head to the end of its response.
    fn count(&self, total: Duration) {
        let Self { exchange, outcome, bytes, rejection, response_ids, status, reason } = self;
        let snapshot = &exchange.snapshot;
        let tally = exchange.notes.route().map_or(&snapshot.records.unrouted, |route| &route.tally);
        let notes = &exchange.notes;
        let (queued, upstream) = (notes.queued().map(|queued| queued.waited), notes.stages.first_upstream());
        let mut counts = tally.lock();
        *counts.responses.entry((*status, *outcome)).or_default() += 1;
        counts.bytes += bytes;
        counts.retries += u64::from(notes.attempts().saturating_sub(1));
        if let Some(cache_use) = notes.cache.get() {
            cache_use.count_in(&mut counts.cache);
        }
        counts.total.add(total);
        if let Some(upstream) = upstream {
            counts.upstream.add(upstream);
        }
        if let Some(queued) = queued {
            counts.queue.add(queued);
        }
        drop(counts);
        let is_error = status.is_none_or(|status| status.as_u16() >= 400);
        if let Some(client) = notes.client_name() {
            snapshot.records.client_counts.count(client, is_error);
        }
        // A challenge is a part of the request that follows.
        if *outcome != Outcome::Handshake {
            snapshot.records.traffic.count(Ended { is_error, total, queue: queued, upstream });
            let counted = Counted {
                name: notes.client_name(),
                credentials: exchange.credentials.as_str(),
                http: exchange.http_version(),
                is_error,
                queue: queued.unwrap_or_default(),
                ended: exchange.started + total,
            };
            snapshot.records.observed_clients.count(exchange.client_marks(), counted);
        }
        if let (Some(status), Some(reason)) = (status, reason) {
            snapshot.records.problems.record(Failure {
                at: OffsetDateTime::now_utc(),
                id: exchange.id,
                client: exchange.ip,
                route: notes.route().map(|route| route.settings.path.as_str()),
                method: &exchange.method,
                path: exchange.uri.path(),
                status: *status,
                code: *rejection,
                identity: notes.identity().or(notes.client_name()),
                application: notes.application(),
                response_ids: response_ids.as_deref(),
                reason,
            });
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        if self.status.is_none() {
            // What hyper takes of the response goes nowhere.
            (self.outcome, self.bytes) = (Outcome::ClientLeft, 0);
        }
        let total = self.exchange.started.elapsed();
        self.count(total);
        if let (Some(trace), Some(tracer)) = (&self.exchange.trace, &self.exchange.snapshot.tracer) {
            tracer.spans.push(spans(self, trace, total));
        }
        let log = &self.exchange.snapshot.request_log;
        let is_slow = log.is_slow(total);
        let share = match log.successes {
            _ if is_slow => Share::ALL,
            None => return,
            Some(_) if !self.is_success() => Share::ALL,
            Some(share) => share,
        };
        // The last bits of a request's id are random.
        if !share.contains(self.exchange.id.as_u128() as u32) {
            return;
        }
        let line_limit = &self.exchange.snapshot.records.problems.line_limit;
        let admits = match self.rejection {
            Some(_) => line_limit.admits_rejection(self.exchange.ip),
            None => line_limit.admits_request(),
        };
        if admits {
            self.log(total, is_slow, share);
        }
    }
}
