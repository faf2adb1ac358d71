//! The HTTP client for everything except the data path: token requests, look-ups and the checks of `bcproxy doctor`.

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

use super::connect::{OutboundConnector, OutboundError};
use super::proxy_settings::OutboundProxy;

/// An HTTP client that sends requests over verified TLS only. Clones share connections.
///
/// It follows no redirects: a token or secret goes to the configured host only.
#[derive(Debug, Clone)]
pub struct HttpClient(legacy::Client<OutboundConnector, Full<Bytes>>);

/// A response whose body is read in chunks.
#[derive(Debug)]
pub struct HttpResponse(Response<Incoming>);

/// Why a request got no response, or only part of one.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The connection could not be opened, so nothing was sent.
    #[error(transparent)]
    Connect(legacy::Error),
    /// The connection failed before the head of the response arrived.
    #[error(transparent)]
    Exchange(legacy::Error),
    /// The connection failed within the body of the response.
    #[error(transparent)]
    Body(#[from] hyper::Error),
    /// The request could not be built.
    #[error("the URL is not valid in a request")]
    Url(#[from] hyper::http::Error),
}

impl HttpClient {
    /// Creates a client. `connect_timeout` limits how long opening a connection may take.
    pub fn new(
        ca_file: Option<&Path>,
        proxy: &OutboundProxy,
        connect_timeout: Duration,
    ) -> Result<Self, OutboundError> {
        let connector = OutboundConnector::new(ca_file, proxy, connect_timeout)?;
        let mut client = legacy::Client::builder(TokioExecutor::new());
        Ok(Self(client.pool_timer(TokioTimer::new()).build(connector)))
    }

    /// Sends a request and waits for the head of the response.
    pub async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Result<HttpResponse, RequestError> {
        let response = self.0.request(request.body(Full::new(body.into()))?).await;
        let failed = |error: legacy::Error| match error.is_connect() {
            true => RequestError::Connect(error),
            false => RequestError::Exchange(error),
        };
        response.map(HttpResponse).map_err(failed)
    }

    /// Sends a GET request with this `Authorization` header.
    pub async fn get(&self, url: &str, authorization: &HeaderValue) -> Result<HttpResponse, RequestError> {
        self.send(Request::get(url).header(AUTHORIZATION, authorization), Bytes::new()).await
    }
}

impl HttpResponse {
    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// Waits for the next chunk of the body; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            let Some(frame) = self.0.body_mut().frame().await.transpose()? else { return Ok(None) };
            if let Ok(chunk) = frame.into_data() {
                return Ok(Some(chunk));
            }
        }
    }
}

/// Encodes fields as the body of a form (`application/x-www-form-urlencoded`). The body is zeroed after sending.
pub fn form(fields: &[(&str, &str)]) -> Bytes {
    let capacity = fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    // Allocated in full: growing would leave copies of secrets behind.
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(capacity));
    Bytes::from_owner(Zeroizing::new(form.extend_pairs(fields).finish().into_bytes()))
}
