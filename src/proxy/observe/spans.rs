//! The spans of a traced request: one for the request, and one for each of its stages. They are made when it has ended.

use std::time::{Duration, SystemTime};

use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::access_log::AccessRecord;
use super::stages::{AttemptEnd, Passed, Stage};
use super::tally::Outcome;
use crate::outbound::Origin;
use crate::proxy::exchange::Exchange;
use crate::telemetry::otlp::attributes::Attributes;
use crate::telemetry::otlp::metrics::unix_nanoseconds;
use crate::telemetry::otlp::{SpanId, Trace};

/// The spans of a request, its own first. `total`: from the request's head to the end of its response.
pub fn spans(record: &AccessRecord, trace: &Trace, total: Duration) -> Vec<Span> {
    let exchange = &*record.exchange;
    let stages = &exchange.notes.stages;
    let spans = Spans { exchange, trace, began: SystemTime::now() - total };
    let mut all = vec![spans.of_request(record, total)];
    let mut attempts = 0;
    for (number, passed) in stages.noted().into_iter().enumerate() {
        let id = trace.stage(number);
        all.push(match passed.stage {
            Stage::Receive => spans.of_stage("receive", id, passed.start, passed.took),
            Stage::Token => spans.of_stage("token", id, passed.start, passed.took),
            Stage::Queue => spans.of_stage("queue", id, passed.start, passed.took),
            Stage::Attempt(end) => {
                attempts += 1;
                spans.of_attempt(attempts, passed, end)
            }
        });
    }
    if let (Some(start), Some(took)) = (stages.transfer_start(), stages.transfer(total)) {
        all.push(spans.of_stage("transfer", trace.stage(all.len()), start, took));
    }
    all
}

struct Spans<'e> {
    exchange: &'e Exchange,
    trace: &'e Trace,
    began: SystemTime,
}

impl Spans<'_> {
    fn of_request(&self, record: &AccessRecord, total: Duration) -> Span {
        let Self { exchange, trace, .. } = self;
        let (notes, status) = (&exchange.notes, record.status());
        let (known, original) = method(&exchange.method);
        let route = notes.route();
        let path = route.map(|route| route.settings.path.as_str());
        let base = Origin::split(&exchange.base_url).ok().map(|(origin, _)| origin);
        let mut attributes = Attributes::default();
        attributes.text("http.request.method", Some(known));
        attributes.text("http.request.method_original", original);
        attributes.text("url.scheme", base.as_ref().map(Origin::scheme));
        attributes.text("url.path", Some(exchange.uri.path()));
        attributes.text("http.route", path);
        attributes.number("http.response.status_code", status.map(|status| status.as_u16()));
        attributes.number("http.response.body.size", Some(record.bytes));
        attributes.text("network.protocol.name", Some("http"));
        attributes.text("network.protocol.version", Some(exchange.http_version()));
        attributes.text("server.address", base.as_ref().map(Origin::host));
        attributes.number("server.port", base.as_ref().map(|base| base.port));
        attributes.text("client.address", Some(&exchange.ip.to_string()));
        let user_agent = exchange.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        attributes.text("user_agent.original", user_agent.as_deref());
        let error = error_type(record.outcome, status);
        attributes.text("error.type", error.as_deref());
        attributes.text("bcproxy.request_id", Some(&exchange.id.to_string()));
        attributes.text("bcproxy.route", path);
        attributes.text("bcproxy.connector", route.map(|route| route.connector.settings.name.as_str()));
        attributes.text("bcproxy.client_id", notes.application().map(|id| id.to_string()).as_deref());
        attributes.text("bcproxy.client_name", notes.client_name());
        attributes.text("bcproxy.identity", notes.identity());
        attributes.text("bcproxy.outcome", Some(record.outcome.as_str()));
        attributes.text("bcproxy.cache", notes.cache.get().map(|use_| use_.as_str()));
        attributes.text("bcproxy.client_request_id", notes.client_request_id());
        let ids = record.response_ids.as_ref();
        attributes.text("bcproxy.bc_request_id", ids.and_then(|ids| ids.request_id()));
        attributes.text("bcproxy.bc_correlation_id", ids.and_then(|ids| ids.correlation_id()));
        attributes.text("bcproxy.reason", record.reason());
        Span {
            parent_span_id: trace.parent.map(SpanId::to_bytes).unwrap_or_default(),
            name: path.map_or_else(|| known.to_owned(), |path| format!("{known} {path}")),
            kind: SpanKind::Server.into(),
            attributes: attributes.0,
            status: error.map(|_| failed()),
            flags: SAMPLED | HAS_IS_REMOTE | if trace.parent.is_some() { IS_REMOTE } else { 0 },
            ..self.span(trace.span, Duration::ZERO, total)
        }
    }

    fn of_attempt(&self, number: u32, passed: Passed, end: AttemptEnd) -> Span {
        let (known, original) = method(&self.exchange.method);
        let upstream = self.exchange.notes.route().map(|route| &route.connector.settings.base_url);
        let url = upstream.zip(self.trace.sent_to.get()).map(|(base, uri)| {
            let origin = base.origin.as_str();
            format!("{origin}{}", uri.path())
        });
        let mut attributes = Attributes::default();
        attributes.text("http.request.method", Some(known));
        attributes.text("http.request.method_original", original);
        attributes.text("url.full", url.as_deref());
        attributes.text("server.address", upstream.map(|base| base.origin.host()));
        attributes.number("server.port", upstream.map(|base| base.origin.port));
        attributes.number("http.request.resend_count", Some(number - 1).filter(|resent| *resent > 0));
        let (status, error) = match end {
            AttemptEnd::Answered(status) => {
                let is_error = status.is_client_error() || status.is_server_error();
                (Some(status), is_error.then(|| status.as_str().to_owned()))
            }
            AttemptEnd::Unreachable => (None, Some("unreachable".to_owned())),
            AttemptEnd::Broken => (None, Some("broken".to_owned())),
            AttemptEnd::TimedOut => (None, Some("timeout".to_owned())),
            AttemptEnd::ClientLeft => (None, Some("client_left".to_owned())),
        };
        attributes.number("http.response.status_code", status.map(|status| status.as_u16()));
        attributes.text("error.type", error.as_deref());
        Span {
            name: known.to_owned(),
            kind: SpanKind::Client.into(),
            attributes: attributes.0,
            status: error.map(|_| failed()),
            ..self.child(self.trace.attempt(number), passed.start, passed.took)
        }
    }

    fn of_stage(&self, name: &str, id: SpanId, start: Duration, took: Duration) -> Span {
        Span { name: name.to_owned(), kind: SpanKind::Internal.into(), ..self.child(id, start, took) }
    }

    fn child(&self, id: SpanId, start: Duration, took: Duration) -> Span {
        Span { parent_span_id: self.trace.span.to_bytes(), ..self.span(id, start, took) }
    }

    fn span(&self, id: SpanId, start: Duration, took: Duration) -> Span {
        Span {
            trace_id: self.trace.id.to_bytes(),
            span_id: id.to_bytes(),
            trace_state: self.trace.state.clone(),
            flags: SAMPLED | HAS_IS_REMOTE,
            start_time_unix_nano: unix_nanoseconds(self.began + start),
            end_time_unix_nano: unix_nanoseconds(self.began + start + took),
            ..Span::default()
        }
    }
}

fn failed() -> Status {
    Status { code: SpanStatus::Error.into(), ..Status::default() }
}

/// A method of the semantic conventions, and the client's own if that is another one.
fn method(method: &Method) -> (&'static str, Option<&str>) {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    match KNOWN.into_iter().find(|known| *known == method.as_str()) {
        Some(known) => (known, None),
        None => ("_OTHER", Some(method.as_str())),
    }
}

/// Why the span of the request is an error. Errors of clients (4xx) are none of a server's.
fn error_type(outcome: Outcome, status: Option<StatusCode>) -> Option<String> {
    match outcome {
        Outcome::ClientLeft => Some("client_left".to_owned()),
        Outcome::ClientStalled => Some("client_stalled".to_owned()),
        Outcome::BrokenUpstream => Some("broken_upstream".to_owned()),
        Outcome::Complete | Outcome::Handshake => {
            status.filter(StatusCode::is_server_error).map(|status| status.as_str().to_owned())
        }
    }
}

/// Flags of a span: those of W3C Trace Context, and whether the parent is in another process.
const SAMPLED: u32 = 1;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;
