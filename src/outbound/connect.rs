//! Opens connections: DNS look-up, TCP, the tunnel of an outbound proxy if any, and TLS, within one time limit.

use std::error::Error;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};

use super::dialer::{Dialer, set_options};
use super::environment::EnvironmentError;
use super::origin::Origin;
use super::proxy_selector::ProxySelector;
use super::proxy_settings::OutboundProxy;
use super::tunnel::{self, TunnelError};
use crate::shared_socket::SharedSocket;
use crate::tls::{self, TlsError};

/// Opens TLS connections with one outbound proxy setting, one set of trusted roots and one time limit.
#[derive(Debug, Clone)]
pub struct OutboundConnector(pub(super) WithTimeout<HttpsConnector<TcpConnector>>);

/// Why no connection can be opened at all: a mistake in the settings.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The trusted roots can't be loaded.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The environment names an unusable outbound proxy.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The HTTP client can't be set up.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// An open connection.
pub type Stream = MaybeHttpsStream<TokioIo<SharedSocket>>;

/// Why a connection was not opened. [`Unreachable`](super::Unreachable) explains it.
pub type ConnectError = Box<dyn Error + Send + Sync>;

impl OutboundConnector {
    /// Creates a connector. `limit` bounds the whole attempt, from DNS look-up to TLS.
    pub fn new(ca_file: Option<&Path>, proxy: &OutboundProxy, limit: Duration) -> Result<Self, OutboundError> {
        Ok(Self::with_tls(tls::client_config(ca_file)?, ProxySelector::new(proxy)?, Dialer::default(), limit))
    }

    pub(super) fn with_tls(tls: ClientConfig, proxies: ProxySelector, dialer: Dialer, limit: Duration) -> Self {
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .wrap_connector(TcpConnector { proxies: proxies.clone(), dialer });
        Self(WithTimeout { inner: tls, proxies, limit })
    }
}

impl Service<Uri> for OutboundConnector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.0.inner.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connector = self.0.clone();
        Box::pin(async move { connector.connect(address).await })
    }
}

/// A connector with a time limit.
#[derive(Debug, Clone)]
pub struct WithTimeout<C> {
    inner: C,
    pub(super) proxies: ProxySelector,
    limit: Duration,
}

impl<C: Service<Uri, Error = ConnectError> + Clone> WithTimeout<C> {
    /// The error for an attempt that took too long.
    pub(super) fn timed_out(&self, address: &Uri) -> ConnectError {
        let limit = self.limit;
        match self.proxies.select(address) {
            Some(proxy) => TunnelError::timed_out(proxy, address, limit).into(),
            None => {
                let message = format!("no connection within {} s", limit.as_secs_f32());
                io::Error::new(io::ErrorKind::TimedOut, message).into()
            }
        }
    }

    /// Opens a connection.
    pub async fn connect(&self, address: Uri) -> Result<C::Response, ConnectError> {
        let connecting = tokio::time::timeout(self.limit, self.inner.clone().oneshot(address.clone()));
        connecting.await.unwrap_or_else(|_| Err(self.timed_out(&address)))
    }
}

/// The TCP socket of a connection.
pub fn tcp_socket(stream: &Stream) -> Arc<TcpStream> {
    let socket = match stream {
        MaybeHttpsStream::Http(tcp) => tcp,
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner(),
    };
    socket.inner().0.clone()
}

/// Opens TCP connections, directly or through the outbound proxy, whose sockets can be inspected while in use.
#[derive(Debug, Clone)]
pub struct TcpConnector {
    proxies: ProxySelector,
    dialer: Dialer,
}

impl TcpConnector {
    /// Creates a connector without a time limit.
    pub fn new(proxies: ProxySelector) -> Self {
        Self { proxies, dialer: Dialer::default() }
    }

    /// Adds a time limit for each connection.
    pub fn with_timeout(self, limit: Duration) -> WithTimeout<Self> {
        WithTimeout { proxies: self.proxies.clone(), inner: self, limit }
    }
}

impl Service<Uri> for TcpConnector {
    type Response = TokioIo<SharedSocket>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let (dialer, proxy) = (self.dialer.clone(), self.proxies.select(&target).cloned());
        let open = async move |origin: &Origin| {
            let stream = dialer.connect(origin.host(), origin.port).await?;
            set_options(&stream)?;
            Ok::<_, ConnectError>(TokioIo::new(SharedSocket(Arc::new(stream))))
        };
        Box::pin(async move {
            let Some(proxy) = proxy else {
                let (origin, _) = Origin::split(&target.to_string()).map_err(|_| "the target has no host")?;
                return open(&origin).await;
            };
            let stream = open(proxy.address.origin()).await;
            let stream = stream.map_err(|error| TunnelError::unreachable(&proxy, &target, error.as_ref()))?;
            Ok(tunnel::open(&proxy, stream, &target).await?)
        })
    }
}

impl Connection for SharedSocket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
