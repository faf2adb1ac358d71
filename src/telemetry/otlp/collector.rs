//! One request to the collector, and what its response means (OTLP 1.x, "OTLP/HTTP").

use std::cell::RefCell;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::RequestBuilder;

use super::state::Signal;
use crate::bounded_body::read_body;
use crate::config::Otlp;
use crate::error_chain::{causes, root_cause};
use crate::outbound::{HttpClient, OutboundError, RequestError, local_client, retry_after};
use crate::secret::SecretError;
use crate::small_file;

/// The collector of a configuration.
#[derive(Debug)]
pub struct Collector {
    /// The configuration.
    pub settings: Otlp,
    http: Http,
}

#[derive(Debug)]
enum Http {
    /// Over verified TLS, through the outbound proxy if there is one.
    Verified(RefCell<Verified>),
    /// Without encryption, directly.
    Plain(reqwest::Client),
}

/// A client, and the content of `ca_file` that it trusts. `None`: there is no such file, or it can't be read.
#[derive(Debug)]
struct Verified {
    client: HttpClient,
    certificates: Option<Vec<u8>>,
}

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The value of a header can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The value of this header is not one.
    #[error("the value of the header {0} holds characters that no header can have")]
    Header(HeaderName),
    /// The certificate of the collector was not accepted, for this reason.
    #[error("its certificate is not trusted ({0}); name the certificate of its authority with `ca_file`")]
    Untrusted(String),
    /// The connection could not be opened, or failed, for this reason.
    #[error("{0}")]
    Unreachable(String),
    /// There was no whole response in time.
    #[error("it did not answer within {} s", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
    /// The response was an error.
    #[error("it answered {} to /v1/{}", status.as_u16(), signal.as_str())]
    Rejected { signal: Signal, status: StatusCode, retry_after: Option<Duration> },
}

impl ExportError {
    /// Whether the same records may be taken later, and how long the collector asks to wait.
    pub fn retry(&self) -> Option<Duration> {
        match self {
            Self::Rejected { status, retry_after, .. } => {
                RETRYABLE.contains(status).then_some(retry_after.unwrap_or_default())
            }
            Self::Secret(_) | Self::Header(_) | Self::Untrusted(_) | Self::Unreachable(_) | Self::TimedOut => {
                Some(Duration::ZERO)
            }
        }
    }
}

impl Collector {
    /// A client for the collector; nothing is sent yet.
    pub fn new(settings: &Otlp) -> Result<Self, OutboundError> {
        let http = match settings.endpoint.is_https() {
            true => Http::Verified(RefCell::new(Verified::new(settings, certificates(settings))?)),
            false => Http::Plain(local_client()?),
        };
        Ok(Self { settings: settings.clone(), http })
    }

    /// Sends encoded records. Returns how many of them the collector rejected.
    pub async fn export(&self, signal: Signal, body: Bytes) -> Result<usize, ExportError> {
        let exchange = async {
            let url = format!("{}/v1/{}", self.settings.endpoint, signal.as_str());
            let response = match &self.http {
                Http::Verified(verified) => {
                    let client = self.current(verified);
                    let request = self.with_headers(client.post(&url)).await?.body(body);
                    client.send(request).await.map_err(|error| match &error {
                        RequestError::Connect(error) => unreachable(error.as_ref()),
                        RequestError::Exchange(error) => unreachable(error),
                    })?
                }
                Http::Plain(client) => {
                    let request = self.with_headers(client.post(&url)).await?.body(body);
                    request.send().await.map_err(|error| unreachable(&error))?
                }
            };
            let (status, retry_after) = (response.status(), retry_after(response.headers()));
            if !status.is_success() {
                return Err(ExportError::Rejected { signal, status, retry_after });
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

    /// The client for the present content of `ca_file`.
    fn current(&self, verified: &RefCell<Verified>) -> HttpClient {
        let mut verified = verified.borrow_mut();
        let certificates = certificates(&self.settings);
        // A file that can't be used changes nothing here: bcproxy watches it, and the log has the mistake.
        if certificates.is_some()
            && certificates != verified.certificates
            && let Ok(next) = Verified::new(&self.settings, certificates)
        {
            *verified = next;
        }
        verified.client.clone()
    }
}

impl Verified {
    fn new(settings: &Otlp, certificates: Option<Vec<u8>>) -> Result<Self, OutboundError> {
        let client = HttpClient::new(settings.ca_file.as_deref(), &settings.outbound_proxy, CONNECT_TIMEOUT)?;
        Ok(Self { client, certificates })
    }
}

/// The content of `ca_file`.
fn certificates(settings: &Otlp) -> Option<Vec<u8>> {
    Some(small_file::read(settings.ca_file.as_ref()?).ok()?.to_vec())
}

fn unreachable(error: &(dyn Error + 'static)) -> ExportError {
    let reason = root_cause(error);
    let is_untrusted = |cause: &rustls::Error| matches!(cause, rustls::Error::InvalidCertificate(_));
    match causes(error).filter_map(|cause| cause.downcast_ref()).any(is_untrusted) {
        true => ExportError::Untrusted(reason),
        false => ExportError::Unreachable(reason),
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
