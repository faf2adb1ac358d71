//! The answer: Business Central's made fit for this client, or one of our own; and the line about it in the log.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Response, StatusCode, Version};
use tower::Service;

use super::body_plan::{List, Treatment};
use super::diagnosis;
use super::links::Links;
use super::transformed_body::AnswerBody;
use crate::business_central::subscriptions::Kept;
use crate::business_central::system_service;
use crate::proxy::body::idle_timeout::{BodyError, IdleTimeout};
use crate::proxy::body::request_body::{ClientBody, Drain, Unread};
use crate::proxy::dispatch::forward::Fault;
use crate::proxy::dispatch::upstream::UpstreamBody;
use crate::proxy::exchange::Exchange;
use crate::proxy::headers;
use crate::proxy::observe::access_log::{AccessRecord, Outcome};
use crate::proxy::rejection::{Kind, Refusal};
use crate::proxy::request::credentials::HANDSHAKES_IN_A_ROW;
use crate::proxy::snapshot::Current;
use crate::proxy::step::{Arrived, Inbound};

/// The outermost step: every request leaves it with an answer.
#[derive(Debug, Clone)]
pub struct Respond<S> {
    current: Current,
    inner: S,
}

impl<S> Respond<S> {
    pub fn new(current: Current, inner: S) -> Self {
        Self { current, inner }
    }
}

impl<S> Service<Arrived> for Respond<S>
where
    S: Service<Inbound, Response = Response<UpstreamBody>, Error = Refusal, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Every step takes all requests at any time; what has to wait, waits in its future.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, Arrived { client, number, request }: Arrived) -> Self::Future {
        let (mut inner, snapshot) = (self.inner.clone(), self.current.snapshot());
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let version = head.version;
            let exchange = Arc::new(Exchange::new(client, &head, snapshot));
            let (body, unread) = ClientBody::new(body, number, exchange.client.clone());
            if let Some(challenge) = exchange.credentials.challenge() {
                drop(body);
                return Ok(shake_hands(exchange, &unread, challenge).await);
            }
            exchange.client.handshake_over();
            let passing = inner.call(Inbound { exchange: exchange.clone(), head, body });
            let answering = {
                let exchange = exchange.clone();
                async move {
                    let relayed = match passing.await {
                        Ok(answer) => relay(&exchange, version, answer).await,
                        Err(refusal) => Err(refusal),
                    };
                    match relayed {
                        Ok(answer) => answer,
                        Err(refusal) => {
                            // A client that kept us waiting for more is not waited for again.
                            let goes_on = refusal.kind != Kind::RequestTimeout && unread.drain(Drain::REFUSED).await;
                            let mut answer = refuse(exchange, refusal);
                            if !goes_on {
                                announce_close(&mut answer);
                            }
                            answer
                        }
                    }
                }
            };
            if exchange.only_reads() {
                return Ok(answering.await);
            }
            // A task of its own: a write that is under way must not end because its client's connection did.
            Ok(tokio::spawn(answering).await.unwrap_or_else(|_| {
                refuse(
                    exchange,
                    Refusal::new(Kind::Internal, "bcproxy failed on this request; its log has the reason."),
                )
            }))
        })
    }
}

/// The answer to a request that begins a handshake: its challenge, once its body is out of the way. The connection stays.
async fn shake_hands(exchange: Arc<Exchange>, unread: &Unread, challenge: HeaderValue) -> Response<ResponseBody> {
    if exchange.client.handshake_begins() > HANDSHAKES_IN_A_ROW {
        let _ = unread.drain(Drain::REFUSED).await;
        return refuse(exchange, Refusal::new(Kind::BrokenHandshake, ENDLESS_HANDSHAKE));
    }
    let goes_on = unread.drain(Drain::HANDSHAKE).await;
    let hint = (!exchange.keeps_connection()).then(|| CLOSING_HANDSHAKE.to_owned());
    let id = exchange.id;
    let mut record = AccessRecord::new(exchange, StatusCode::UNAUTHORIZED, hint);
    record.outcome = Outcome::Handshake;
    let mut answer = Response::new(ResponseBody { content: Content::Local(Bytes::new()), record });
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    answer.headers_mut().insert(REQUEST_ID, headers::header_of(id));
    if !goes_on {
        announce_close(&mut answer);
    }
    answer
}

/// hyper notices too late that it can't read on: what is left of a request would be taken for the next one.
fn announce_close(answer: &mut Response<ResponseBody>) {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Business Central's answer, its addresses turned, in a coding and framing this client knows.
async fn relay(
    exchange: &Arc<Exchange>,
    version: Version,
    mut answer: Response<UpstreamBody>,
) -> Result<Response<ResponseBody>, Refusal> {
    let hint = diagnosis::hint(&mut answer).await.map_err(Fault::CutShort)?;
    let (mut head, body) = answer.into_parts();
    headers::towards_client(&mut head.headers);
    head.headers.insert(REQUEST_ID, headers::header_of(exchange.id));
    // Ours again from here: hyper writes the version the client can read.
    head.version = Version::HTTP_11;
    let ends_with_connection = version == Version::HTTP_10;
    let idle = exchange.body_idle();
    let treatment @ Treatment { document, narrowed, is_decoded } = Treatment::of(exchange, head.status, &head.headers);
    exchange.client.may_stall(idle);
    let links = exchange.route().map(|route| Links::new(exchange.clone(), route.clone()));

    let mut body = AnswerBody::new(IdleTimeout::new(body, idle), is_decoded);
    if let Some(links) = links {
        links.in_headers(&mut head.headers);
        if let Some(document) = document {
            body = body.with_links(document, links);
        }
    }
    if let Some(list) = narrowed {
        headers::of_changed_body(&mut head.headers);
        let length = narrow(list, exchange, &mut body).await?;
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    } else if treatment.changes_it() {
        headers::of_changed_body(&mut head.headers);
        let limit = if ends_with_connection { MEASURED_BYTES_HTTP_10 } else { MEASURED_BYTES };
        // The length of HEAD's answer would be that of GET's, which is not known here.
        if exchange.method != Method::HEAD
            && let Some(length) = body.measure(limit).await.map_err(Refusal::broken_answer)?
        {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    if let Some(route) = exchange.route() {
        route.settings.headers.response.apply(&mut head.headers);
    }
    if let Some(completion) = exchange.credentials.completion() {
        head.headers.insert(WWW_AUTHENTICATE, completion);
    }
    if let Some(field) = hint.and_then(|trouble| diagnosis::proxy_status(head.status, trouble)) {
        head.headers.append(PROXY_STATUS, field);
    }
    let record = AccessRecord::new(exchange.clone(), head.status, hint.map(ToString::to_string));
    let content = Content::Upstream { body: Box::new(body), ends_with_connection };
    Ok(Response::from_parts(head, ResponseBody { content, record }))
}

/// Has a list hold what is of the route's companies only; how long it is then.
async fn narrow(list: List, exchange: &Exchange, body: &mut AnswerBody) -> Result<usize, Refusal> {
    let narrowed = |answer: &[u8]| {
        let companies = exchange.asked()?.1.within.as_deref()?;
        match list {
            List::Companies => system_service::narrowed(answer, companies),
            List::Subscriptions(subscription) => {
                let environment = &exchange.route()?.destination.address;
                Kept { subscription, companies, environment }.narrowed(answer)
            }
        }
    };
    let length = body.replace(NARROWED_BYTES, narrowed).await.map_err(Refusal::broken_answer)?;
    length.ok_or_else(|| Refusal::new(Kind::AnswerBroken, NO_LIST))
}

fn refuse(exchange: Arc<Exchange>, refusal: Refusal) -> Response<ResponseBody> {
    let (intended, code, proxy_status) = refusal.kind.describe();
    let dialect = exchange.dialect();
    let status = refusal.kind.status(dialect);
    let text = Bytes::from(dialect.body(intended, code, &refusal.message));
    let breaks_off = refusal.kind == Kind::BrokenHandshake;
    let completion = exchange.credentials.completion();
    let allowed = (intended == StatusCode::METHOD_NOT_ALLOWED).then(|| allowed_methods(&exchange));
    let id = exchange.id;
    let record = AccessRecord::new(exchange, status, Some(refusal.message));
    let mut answer = Response::new(ResponseBody { content: Content::Local(text), record });
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(dialect.content_type()));
    headers.insert(REQUEST_ID, headers::header_of(id));
    if let Some(completion) = completion {
        headers.insert(WWW_AUTHENTICATE, completion);
    }
    let proxy_status = format!("bcproxy; error={proxy_status}");
    for (name, value) in [
        (PROXY_STATUS, Some(proxy_status)),
        (ALLOW.as_str(), allowed),
        // Rounded up: a client that comes back a moment early is refused again.
        (RETRY_AFTER.as_str(), refusal.retry_after.map(|pause| pause.as_millis().div_ceil(1000).to_string())),
    ] {
        if let (Ok(name), Some(Ok(value))) =
            (name.parse::<hyper::header::HeaderName>(), value.map(HeaderValue::try_from))
        {
            headers.insert(name, value);
        }
    }
    if breaks_off {
        announce_close(&mut answer);
    }
    answer
}

fn allowed_methods(exchange: &Exchange) -> String {
    match exchange.route().and_then(|route| route.settings.methods.as_ref()) {
        Some(methods) => methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", "),
        None => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned(),
    }
}

/// An answer's body on its way to the client; its log line is written when it is done with.
#[derive(Debug)]
pub struct ResponseBody {
    content: Content,
    record: AccessRecord,
}

#[derive(Debug)]
enum Content {
    Local(Bytes),
    Upstream {
        body: Box<AnswerBody>,
        /// The client may know the end of the body by the end of the connection only (HTTP/1.0).
        ends_with_connection: bool,
    },
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { content, record } = &mut *self;
        let (body, ends_with_connection) = match content {
            Content::Local(bytes) => {
                let bytes = std::mem::take(bytes);
                record.outcome.complete_if_unfinished();
                record.bytes += bytes.len() as u64;
                return Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))));
            }
            Content::Upstream { body, ends_with_connection } => (body, *ends_with_connection),
        };
        let client = &record.exchange.client;
        ready!(client.untaken.poll_room(context));
        if ends_with_connection {
            client.answer_begins();
        }
        match ready!(Pin::new(&mut *body).poll_frame(context)) {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                client.untaken.hold(bytes);
                record.bytes += bytes as u64;
                if body.is_end_stream() {
                    record.outcome = Outcome::Complete;
                    client.answer_is_whole();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                record.outcome = Outcome::BrokenUpstream;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                record.outcome = Outcome::Complete;
                client.answer_is_whole();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Local(bytes) => bytes.is_empty(),
            Content::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Local(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream { body, .. } => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // hyper does not ask for a body it need not send.
        if self.is_end_stream() || self.record.exchange.method == Method::HEAD {
            self.record.outcome.complete_if_unfinished();
        } else if let Some(stall) = self.record.exchange.client.stall() {
            self.record.stalled(stall);
        }
    }
}

/// A body that was changed is read ahead up to this size, so that its length can be said.
pub const MEASURED_BYTES: usize = 64 * 1024;

/// The same for clients that would have to take the connection's end for the body's.
const MEASURED_BYTES_HTTP_10: usize = 1024 * 1024;

const REQUEST_ID: &str = "x-request-id";

/// A list that is narrowed down has at most this size: 300 companies or 200 subscriptions take less.
const NARROWED_BYTES: usize = 4 * 1024 * 1024;

const NO_LIST: &str =
    "Business Central's answer is no list that could be narrowed down to the route's company; it is not passed on.";

const PROXY_STATUS: &str = "proxy-status";

const ENDLESS_HANDSHAKE: &str = "The program begins one handshake after another on this connection and never ends one. Restart it; if that does not help, configure \
     it without Windows authentication (anonymous or Basic).";

const CLOSING_HANDSHAKE: &str = "the program closes its connection in the middle of its handshake; most programs can't go on then: switch keep-alive on";
