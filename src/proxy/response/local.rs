//! Responses of our own: rejections, and the challenge of a handshake.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Response, StatusCode};

use super::body::ResponseBody;
use crate::proxy::body::client_body::{Drain, Unread};
use crate::proxy::exchange::Exchange;
use crate::proxy::headers::{PROXY_STATUS, REQUEST_ID};
use crate::proxy::observe::access_log::AccessRecord;
use crate::proxy::observe::tally::Outcome;
use crate::proxy::rejection::{Kind, Rejection};

/// The response to a request that is rejected. What is left of its body is drained, or else its connection closes. It
/// closes when the client still waits for its `100 Continue`, too: after this response there is none.
pub async fn reject(exchange: Arc<Exchange>, rejection: Rejection, unread: &Unread) -> Response<ResponseBody> {
    // A client that was too slow with its body is not waited for again.
    let limit = match rejection.kind {
        Kind::Unauthenticated { .. } => Drain::HANDSHAKE,
        _ => Drain::REJECTED,
    };
    let is_drained = rejection.kind != Kind::RequestTimeout && unread.drain(limit).await;
    let mut response = rejected(exchange, rejection);
    if !is_drained {
        announce_close(&mut response);
    }
    response
}

/// The response to a rejected request, whatever becomes of its body.
pub fn rejected(exchange: Arc<Exchange>, rejection: Rejection) -> Response<ResponseBody> {
    let (intended, code, error_type) = rejection.kind.describe();
    let dialect = exchange.dialect();
    let status = rejection.kind.status(dialect);
    let text = Bytes::from(dialect.body(intended, code, &message(&rejection)));
    let challenges = challenges(&exchange, rejection.kind);
    let allowed = (intended == StatusCode::METHOD_NOT_ALLOWED).then(|| allowed_methods(&exchange));
    let id = exchange.id_value.clone();
    let recorded = Some(status).filter(|_| rejection.kind != Kind::ClientLeft);
    let begins = matches!(rejection.kind, Kind::Unauthenticated { is_first: true, .. });
    let mut record = AccessRecord::new(exchange, recorded, Some(rejection.message).filter(|_| !begins));
    record.response_ids = rejection.response_ids;
    record.rejection = Some(code).filter(|_| recorded.is_some() && !begins);
    if begins {
        record.outcome = Outcome::Handshake;
    }
    let mut response = Response::new(ResponseBody::local(text, record));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(dialect.content_type()));
    headers.insert(REQUEST_ID, id);
    for challenge in challenges.into_iter().flatten() {
        headers.append(WWW_AUTHENTICATE, challenge);
    }
    for (name, value) in [
        (PROXY_STATUS, Some(format!("bcproxy; error={error_type}"))),
        (ALLOW, allowed),
        // Rounded up: a client that comes back a moment early is rejected again.
        (RETRY_AFTER, rejection.retry_after.map(|pause| pause.as_millis().div_ceil(1000).to_string())),
    ] as [(HeaderName, Option<String>); 3]
    {
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    if matches!(rejection.kind, Kind::BrokenHandshake | Kind::InvalidHost) {
        announce_close(&mut response);
    }
    response
}

/// What the client is told: also what a ticket to Microsoft has to name.
fn message(rejection: &Rejection) -> Cow<'_, str> {
    match &rejection.response_ids {
        None => Cow::Borrowed(&rejection.message),
        Some(ids) => Cow::Owned(format!("{} {ids}", rejection.message).trim_end().to_owned()),
    }
}

/// The challenge of a handshake, once the request's body is out of the way. The connection stays open.
pub async fn challenge(exchange: Arc<Exchange>, challenge: HeaderValue, unread: &Unread) -> Response<ResponseBody> {
    let is_drained = unread.drain(Drain::HANDSHAKE).await;
    let warning = (!exchange.keeps_connection).then(|| CLOSES_IN_HANDSHAKE.to_owned());
    let id = exchange.id_value.clone();
    let mut record = AccessRecord::new(exchange, Some(StatusCode::UNAUTHORIZED), warning);
    record.outcome = Outcome::Handshake;
    let mut response = Response::new(ResponseBody::local(Bytes::new(), record));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response.headers_mut().insert(REQUEST_ID, id);
    if !is_drained {
        announce_close(&mut response);
    }
    response
}

/// The `WWW-Authenticate` of a rejection: a line for each scheme that is offered, or the end of a handshake.
///
/// `Negotiate` is never offered: curl and .NET would choose it and fail.
fn challenges(exchange: &Exchange, kind: Kind) -> [Option<HeaderValue>; 2] {
    match kind {
        Kind::Unauthenticated { ntlm, basic, .. } => [
            ntlm.then(|| HeaderValue::from_static("NTLM")),
            basic.then(|| HeaderValue::from_static("Basic realm=\"bcproxy\"")),
        ],
        _ => [exchange.credentials.completion(), None],
    }
}

/// hyper notices too late that it can't read on: it would take what is left of a request for the next one.
fn announce_close(response: &mut Response<ResponseBody>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

fn allowed_methods(exchange: &Exchange) -> String {
    match exchange.notes.route().and_then(|route| route.settings.methods.as_ref()) {
        Some(methods) => methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", "),
        None => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned(),
    }
}

const CLOSES_IN_HANDSHAKE: &str = "The client closes its connection in the middle of the handshake, which most clients can't continue. Enable keep-alive.";
