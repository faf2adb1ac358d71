//! Connections: name, TCP, where there is an outbound proxy its tunnel, and verified TLS, within a time.

use std::error::Error;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt};

use super::environment::EnvironmentError;
use super::proxy::{OutboundProxy, Way};
use super::tunnel::{self, TunnelError};
use crate::shared_socket::SharedSocket;
use crate::tls::{self, TlsError};

/// Makes connections that go the same way, trust the same roots and may take equally long.
#[derive(Debug, Clone)]
pub struct Connector(Within<HttpsConnector<Tcp>>);

/// Why connections can't be made at all.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// A connection, ready to be spoken on.
pub type Stream = MaybeHttpsStream<TokioIo<SharedSocket>>;

pub type ConnectError = Box<dyn Error + Send + Sync>;

impl Connector {
    /// `limit`: everything together.
    pub fn new(ca_file: Option<&Path>, proxy: &OutboundProxy, limit: Duration) -> Result<Self, OutboundError> {
        let way = Way::new(proxy)?;
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(ca_file)?)
            .https_only()
            .enable_http1()
            .wrap_connector(Tcp::new(way.clone()));
        Ok(Self(Within { inner: tls, way, limit }))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.0.inner.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let within = self.0.clone();
        Box::pin(async move { within.connect(address).await })
    }
}

/// What makes connections, within a time.
#[derive(Debug, Clone)]
pub struct Within<C> {
    inner: C,
    way: Way,
    limit: Duration,
}

impl<C> Within<C>
where
    C: Service<Uri, Error = ConnectError> + Clone,
{
    pub async fn connect(&self, address: Uri) -> Result<C::Response, ConnectError> {
        let limit = self.limit;
        let connecting = tokio::time::timeout(limit, self.inner.clone().oneshot(address.clone()));
        connecting.await.unwrap_or_else(|_| match self.way.proxy_for(&address) {
            Some(proxy) => Err(TunnelError::too_slow(proxy, &address, limit).into()),
            None => {
                let too_slow = format!("no connection within {} s", limit.as_secs_f32());
                Err(io::Error::new(io::ErrorKind::TimedOut, too_slow).into())
            }
        })
    }
}

/// The socket under a connection.
pub fn socket(stream: &Stream) -> Arc<TcpStream> {
    let socket = match stream {
        MaybeHttpsStream::Http(tcp) => tcp,
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner(),
    };
    socket.inner().0.clone()
}

/// TCP connections to services, whose sockets can be looked at: straight, or through the outbound proxy.
#[derive(Debug, Clone)]
pub struct Tcp {
    way: Way,
    tcp: HttpConnector,
}

impl Tcp {
    pub fn new(way: Way) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
        Self { way, tcp }
    }

    /// The same, for whom a connection may take only so long.
    pub fn within(self, limit: Duration) -> Within<Self> {
        Within { way: self.way.clone(), inner: self, limit }
    }
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<SharedSocket>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let shared = |stream: TokioIo<TcpStream>| TokioIo::new(SharedSocket(Arc::new(stream.into_inner())));
        let Some(proxy) = self.way.shared_proxy_for(&target) else {
            let connecting = self.tcp.call(target);
            return Box::pin(async move { Ok(shared(connecting.await?)) });
        };
        let connecting = self.tcp.call(proxy.address.uri());
        Box::pin(async move {
            let stream = connecting.await.map_err(|error| TunnelError::unreachable(&proxy, &target, &error))?;
            Ok(tunnel::open(&proxy, shared(stream), &target).await?)
        })
    }
}

impl Connection for SharedSocket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// A firewall that forgets an idle connection silently is noticed before a request is sent into it.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);
