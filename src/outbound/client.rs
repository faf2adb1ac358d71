//! The plain HTTP client, for the little there is besides the data path: token requests, look-ups, the doctor's questions.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use zeroize::Zeroizing;

use super::connect::{Connector, OutboundError};
use super::proxy::OutboundProxy;

/// Sends requests over verified TLS. No redirects are followed: a token or secret goes to the configured host only. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client(legacy::Client<Connector, Full<Bytes>>);

/// An answer, whose body is read in pieces.
#[derive(Debug)]
pub struct Answer(Response<Incoming>);

/// Why there is no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No connection was to be had, so nothing was sent.
    #[error(transparent)]
    Connect(legacy::Error),
    #[error(transparent)]
    Exchange(legacy::Error),
    #[error(transparent)]
    Body(#[from] hyper::Error),
    #[error("the address makes no request")]
    Address(#[from] hyper::http::Error),
}

impl Client {
    /// `connect`: how long making a connection may take.
    pub fn new(ca_file: Option<&Path>, proxy: &OutboundProxy, connect: Duration) -> Result<Self, OutboundError> {
        let connector = Connector::new(ca_file, proxy, connect)?;
        let mut client = legacy::Client::builder(TokioExecutor::new());
        Ok(Self(client.pool_timer(TokioTimer::new()).build(connector)))
    }

    /// Sends a request and waits for its answer's head.
    pub async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Result<Answer, RequestError> {
        let answer = self.0.request(request.body(Full::new(body.into()))?).await;
        let failed = |error: legacy::Error| match error.is_connect() {
            true => RequestError::Connect(error),
            false => RequestError::Exchange(error),
        };
        answer.map(Answer).map_err(failed)
    }

    /// A GET with a token.
    pub async fn get(&self, url: &str, authorization: &HeaderValue) -> Result<Answer, RequestError> {
        self.send(Request::get(url).header(AUTHORIZATION, authorization), Bytes::new()).await
    }
}

impl Answer {
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// The next piece of the body; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            let Some(frame) = self.0.body_mut().frame().await.transpose()? else { return Ok(None) };
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }
}

/// A form as a body (`application/x-www-form-urlencoded`). What it holds may be secret: it is zeroed when it was sent.
pub fn form(fields: &[(&str, &str)]) -> Bytes {
    let room = fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    // All the room at once: growing would leave copies behind.
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(room));
    Bytes::from_owner(Zeroizing::new(form.extend_pairs(fields).finish().into_bytes()))
}
