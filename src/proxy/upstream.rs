//! The pooled client towards Business Central: verified TLS, HTTP/1.1, every failure with its step.

use std::error::Error;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use super::request_body::RequestBody;
use crate::config::Timeouts;
use crate::tls::{self, TlsError};

/// A pooled client; clones share the pool.
pub type UpstreamClient = Client<TimedConnector, RequestBody>;

/// The client for connectors that trust the same roots and wait equally long.
pub fn client(ca_file: Option<&Path>, timeouts: &Timeouts) -> Result<UpstreamClient, TlsError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(tls::client_config(ca_file)?)
        .https_only()
        .enable_http1()
        .wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(timeouts.pool_idle)
        .pool_timer(TokioTimer::new())
        .build(TimedConnector { tls, limit: timeouts.connect });
    Ok(client)
}

/// A connector that has to be done (name, TCP and TLS) within a limit.
#[derive(Debug, Clone)]
pub struct TimedConnector {
    tls: HttpsConnector<HttpConnector>,
    limit: Duration,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Service<Uri> for TimedConnector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tls.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let (connecting, limit) = (self.tls.call(address), self.limit);
        Box::pin(async move {
            tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
                let too_slow = format!("no connection within {} s", limit.as_secs_f32());
                Err(io::Error::new(io::ErrorKind::TimedOut, too_slow).into())
            })
        })
    }
}

/// A firewall that forgets an idle connection silently is noticed before a request is sent into it.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);

/// The HTTP client for the company look-up and token requests: no redirects, since a token or secret goes to the configured host only.
pub fn plain_client(ca_file: Option<&Path>, connect: Duration) -> Result<reqwest::Client, PlainClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(ca_file)?)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(connect)
        .build()?)
}

/// Why the plain client can't be built.
#[derive(Debug, thiserror::Error)]
pub enum PlainClientError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the HTTP client can't be set up ({0})")]
    Client(Arc<reqwest::Error>),
}

impl From<reqwest::Error> for PlainClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Client(Arc::new(error))
    }
}
