//! The HTTP client for everything except the data path: token requests, look-ups, the checks of `bcproxy doctor`, and
//! exports of telemetry.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use hyper::Uri;
use hyper::header::CONTENT_TYPE;
use reqwest::{Client, ClientBuilder, Proxy, RequestBuilder, Response, Url, redirect};
use zeroize::Zeroizing;

use super::connect::{ConnectError, OutboundConnector, OutboundError};
use super::dialer::{Dialer, TCP_KEEP_ALIVE};
use super::proxy_selector::ProxySelector;
use super::proxy_settings::OutboundProxy;
use crate::secret::Secret;
use crate::tls;

/// An HTTP client that sends requests over verified TLS only. Clones share connections.
///
/// It follows no redirects: a token or secret goes to the configured host only.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client,
    /// The outbound proxy's URL, with the password that was read last.
    proxy_url: Arc<ArcSwapOption<Secret>>,
    dialer: Dialer,
    /// Explains why the client has opened no connection.
    connector: OutboundConnector,
}

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The connection could not be opened, so nothing was sent.
    #[error(transparent)]
    Connect(ConnectError),
    /// The connection failed later, or within the body of the response; or the address is not valid in a request.
    #[error(transparent)]
    Exchange(#[from] reqwest::Error),
}

impl HttpClient {
    /// Creates a client. `connect_timeout` limits how long opening a connection may take.
    pub fn new(
        ca_file: Option<&Path>,
        proxy: &OutboundProxy,
        connect_timeout: Duration,
    ) -> Result<Self, OutboundError> {
        let (proxies, tls) = (ProxySelector::new(proxy)?, tls::client_config(ca_file)?);
        let (proxy_url, dialer) = (Arc::<ArcSwapOption<Secret>>::default(), Dialer::default());
        let (selector, url) = (proxies.clone(), proxy_url.clone());
        let through = move |target: &Url| {
            let proxy = selector.select(&target.as_str().parse().ok()?)?;
            Some(url.load().as_ref().map_or_else(|| format!("http://{}", proxy.address), |url| url.expose().to_owned()))
        };
        let client = builder(tls.clone()).https_only(true).connect_timeout(connect_timeout);
        let client = client.dns_resolver(dialer.clone()).proxy(Proxy::custom(through)).build()?;
        let connector = OutboundConnector::with_tls(tls, proxies, dialer.clone(), connect_timeout);
        Ok(Self { client, proxy_url, dialer, connector })
    }

    /// A GET request.
    pub fn get(&self, url: &str) -> RequestBuilder {
        self.client.get(url)
    }

    /// A POST request.
    pub fn post(&self, url: &str) -> RequestBuilder {
        self.client.post(url)
    }

    /// A POST request with a form (`application/x-www-form-urlencoded`), whose fields are zeroed after sending.
    pub fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let capacity = fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        // Allocated in full: growing would leave copies of secrets behind.
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(capacity));
        let form = Bytes::from_owner(Zeroizing::new(form.extend_pairs(fields).finish().into_bytes()));
        self.client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
    }

    /// Sends a request of this client and waits for the head of the response.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, RequestError> {
        let request = request.build()?;
        let target: Uri = request.url().as_str().parse().unwrap_or_default();
        match self.connector.0.proxies.select(&target) {
            Some(proxy) => {
                // A password that can't be read is reported once the proxy demands it.
                if let Ok(url) = proxy.url().await {
                    self.proxy_url.store(Some(Arc::new(url)));
                }
                let origin = proxy.address.origin();
                self.dialer.expect(origin.host(), origin.port);
            }
            None => self.dialer.expect(target.host().unwrap_or_default(), target.port_u16().unwrap_or(443)),
        }
        match self.client.execute(request).await {
            Err(error) if error.is_connect() => Err(RequestError::Connect(self.explain(&target, error).await)),
            response => Ok(response?),
        }
    }

    /// Why no connection to the target was opened. The client does not say what the outbound proxy did, so the
    /// connector tries once and does.
    async fn explain(&self, target: &Uri, error: reqwest::Error) -> ConnectError {
        if error.is_timeout() {
            return self.connector.0.timed_out(target);
        }
        let asked = match self.connector.0.proxies.select(target) {
            Some(_) => self.connector.0.connect(target.clone()).await.err(),
            None => None,
        };
        asked.unwrap_or_else(|| error.into())
    }
}

/// A client over plain HTTP, for services of this machine and for a collector without TLS. It uses no outbound proxy,
/// trusts no certificate and follows no redirects.
pub fn local_client() -> Result<Client, OutboundError> {
    Ok(builder(tls::client_config_without_roots()?).build()?)
}

/// The same over TLS, for a service whose certificate is in this file. It trusts no other.
pub fn pinned_client(certificate: &Path) -> Result<Client, OutboundError> {
    Ok(builder(tls::client_config_pinned_to(certificate)?).https_only(true).build()?)
}

fn builder(tls: rustls::ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .tcp_keepalive(TCP_KEEP_ALIVE)
}
