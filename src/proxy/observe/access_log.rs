//! The record of a request whose answer is done with: it is counted and written to the access log, one line each.

use std::sync::Arc;

use hyper::{StatusCode, Version};

use crate::proxy::downstream::client::min_rate::LEAST_RATE;
use crate::proxy::downstream::client::{PATIENCE_OF_OTHERS, Stall};
use crate::proxy::exchange::Exchange;
use crate::telemetry;

/// What will be counted and logged of one request; dropping it does both.
#[derive(Debug)]
pub struct AccessRecord {
    pub exchange: Arc<Exchange>,
    pub outcome: Outcome,
    /// Of the answer's body, as handed to the client.
    pub bytes: u64,
    status: StatusCode,
    reason: Option<String>,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The client did not take all of it.
    ClientLeft,
    /// The client took so little, for so long, that it was cut off.
    ClientStalled,
    Complete,
    /// It was a step of the client's handshake; the request itself is still to come.
    Handshake,
    /// Business Central broke off; the client was cut off too.
    BrokenUpstream,
}

impl Outcome {
    /// Complete, unless something is known that says otherwise.
    pub fn complete_if_unfinished(&mut self) {
        if *self == Self::ClientLeft {
            *self = Self::Complete;
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientLeft => "client left",
            Self::ClientStalled => "client stalled",
            Self::Complete => "complete",
            Self::Handshake => "handshake",
            Self::BrokenUpstream => "broken upstream",
        }
    }
}

impl AccessRecord {
    /// `reason` is why an answer is our own, or what Business Central's says about the set-up.
    pub fn new(exchange: Arc<Exchange>, status: StatusCode, reason: Option<String>) -> Self {
        Self { exchange, outcome: Outcome::ClientLeft, bytes: 0, status, reason }
    }

    /// The client was cut off because it took too little.
    pub fn stalled(&mut self, stall: Stall) {
        self.outcome = Outcome::ClientStalled;
        let (longest_pause, why) = match stall {
            Stall::Overdue => (self.exchange.body_idle(), "`body_idle`"),
            Stall::InTheWay => (PATIENCE_OF_OTHERS, "while others waited for what it kept"),
        };
        self.reason = Some(format!(
            "The program took nothing of its answer for {} s ({why}), or less than {LEAST_RATE} bytes a second for longer, and was cut off: its \
             place at Business Central is for others. Have it read an answer to its end before it works on it, or ask for less at once.",
            longest_pause.as_secs_f32()
        ));
    }

    fn count(&self) {
        let Self { exchange, outcome, bytes, status, reason } = self;
        let snapshot = &exchange.snapshot;
        let tally = exchange.route().map_or(&snapshot.unrouted, |route| &route.tally);
        tally.count(exchange, *status, *outcome, *bytes);
        if let Some(reason) = reason {
            snapshot.problems.note(exchange, *status, reason);
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        self.count();
        if !tracing::enabled!(target: telemetry::ACCESS, tracing::Level::INFO) {
            return;
        }
        let Self { exchange, outcome, bytes, status, reason } = self;
        let route = exchange.route().map(|route| route.settings.path.to_string());
        let milliseconds = |duration: std::time::Duration| duration.as_micros() as f64 / 1000.0;
        // What a client wrote goes in as a string, never through Display: the log escapes strings. Query values stay out of it.
        tracing::info!(
            target: telemetry::ACCESS,
            id = %exchange.id,
            client = %exchange.client.ip(),
            route = route.as_deref(),
            method = exchange.method.as_str(),
            path = exchange.uri.path(),
            status = status.as_u16(),
            bytes,
            queue_ms = exchange.queue().map(|(waited, _)| milliseconds(waited)),
            queue_before = exchange.queue().map(|(_, before)| before),
            attempts = Some(exchange.attempts()).filter(|attempts| *attempts > 0),
            client_id = exchange.application().map(tracing::field::display),
            upstream_ms = exchange.upstream().map(milliseconds),
            total_ms = milliseconds(exchange.started.elapsed()),
            token_age_s = exchange.token_age().map(|age| age.as_secs()),
            cache = exchange.cache().map(|use_| use_.as_str()),
            outcome = outcome.as_str(),
            credentials = exchange.credentials.as_str(),
            http = if exchange.version == Version::HTTP_10 { "1.0" } else { "1.1" },
            user_agent = exchange.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes())).as_deref(),
            reason = reason.as_deref(),
        );
    }
}
