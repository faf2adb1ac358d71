//! One request to the collector, and what its response means (OTLP 1.x, "OTLP/HTTP").

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::{RequestBuilder, Response};

use super::state::Signal;
use crate::bounded_body::read_body;
use crate::config::Otlp;
use crate::error_chain::root_cause;
use crate::outbound::{HttpClient, OutboundError, RequestError, local_client, retry_after};
use crate::secret::SecretError;

/// The collector of a configuration.
#[derive(Debug)]
pub struct Collector {
    /// The configuration.
    pub settings: Otlp,
    http: Http,
}

#[derive(Debug)]
enum Http {
    /// Over verified TLS, by the outbound proxy where there is one.
    Verified(HttpClient),
    /// Without encryption, directly.
    Plain(reqwest::Client),
}

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the value of the header {0} holds characters that no header can have")]
    Header(HeaderName),
    #[error("{0}")]
    Unreachable(String),
    #[error("it did not answer within {} s", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
    #[error("it answered {}", status.as_u16())]
    Rejected { status: StatusCode, retry_after: Option<Duration> },
}

impl ExportError {
    /// Whether the same records may be taken later, and how long the collector asks to wait.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::Rejected { status, retry_after } => {
                RETRYABLE.contains(status).then_some(retry_after.unwrap_or_default())
            }
            Self::Secret(_) | Self::Header(_) | Self::Unreachable(_) | Self::TimedOut => Some(Duration::ZERO),
        }
    }
}

impl Collector {
    /// A client for the collector; nothing is sent yet.
    pub fn new(settings: &Otlp) -> Result<Self, OutboundError> {
        let http = match settings.endpoint.is_https() {
            true => {
                let (ca_file, proxy) = (settings.ca_file.as_deref(), &settings.outbound_proxy);
                Http::Verified(HttpClient::new(ca_file, proxy, CONNECT_TIMEOUT)?)
            }
            false => Http::Plain(local_client()?),
        };
        Ok(Self { settings: settings.clone(), http })
    }

    /// Sends encoded records. Returns how many of them the collector rejected.
    pub async fn export(&self, signal: Signal, body: Bytes) -> Result<usize, ExportError> {
        let exchange = async {
            let url = format!("{}/v1/{}", self.settings.endpoint, signal.as_str());
            let request = match &self.http {
                Http::Verified(client) => client.post(&url),
                Http::Plain(client) => client.post(&url),
            };
            let response = self.send(self.with_headers(request).await?.body(body)).await?;
            let (status, retry_after) = (response.status(), retry_after(response.headers()));
            if !status.is_success() {
                return Err(ExportError::Rejected { status, retry_after });
            }
            let mut body = Vec::new();
            // A response that can't be read says nothing about rejected records.
            let _ = read_body(reqwest::Body::from(response), MAX_RESPONSE_BYTES, &mut body).await;
            Ok(rejected(&body))
        };
        tokio::time::timeout(REQUEST_TIMEOUT, exchange).await.unwrap_or(Err(ExportError::TimedOut))
    }

    async fn with_headers(&self, request: RequestBuilder) -> Result<RequestBuilder, ExportError> {
        let mut request = request
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, concat!("bcproxy/", env!("CARGO_PKG_VERSION")));
        for (name, source) in &self.settings.headers {
            let secret = source.read("header's value").await?;
            let value = HeaderValue::from_str(secret.expose());
            let mut value = value.map_err(|_| ExportError::Header(name.clone()))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        Ok(request)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ExportError> {
        match &self.http {
            Http::Verified(client) => client.send(request).await.map_err(|error| {
                ExportError::Unreachable(match &error {
                    RequestError::Connect(error) => root_cause(error.as_ref()),
                    RequestError::Exchange(error) => root_cause(error),
                })
            }),
            Http::Plain(_) => request.send().await.map_err(|error| ExportError::Unreachable(root_cause(&error))),
        }
    }
}

/// How many records a response says were rejected. The responses for all signals are alike.
fn rejected(response: &[u8]) -> usize {
    let response = ExportTraceServiceResponse::decode(response).unwrap_or_default();
    response.partial_success.and_then(|partial| usize::try_from(partial.rejected_spans).ok()).unwrap_or_default()
}

/// What the collector may take later (OTLP, "Failures").
const RETRYABLE: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From the connection to the end of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_RESPONSE_BYTES: usize = 64 * 1024;
