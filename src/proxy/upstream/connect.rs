//! The way to Business Central: name, TCP and verified TLS, within a time.

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

use crate::proxy::shared_socket::SharedSocket;
use crate::tls::{self, TlsError};

/// Makes connections that trust the same roots and may take equally long.
#[derive(Debug, Clone)]
pub struct Connector {
    tls: HttpsConnector<Tcp>,
    limit: Duration,
}

/// A connection, ready to be spoken on.
pub type Stream = MaybeHttpsStream<TokioIo<SharedSocket>>;

pub type ConnectError = Box<dyn Error + Send + Sync>;

impl Connector {
    /// `limit`: name, TCP and TLS together.
    pub fn new(ca_file: Option<&Path>, limit: Duration) -> Result<Self, TlsError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(ca_file)?)
            .https_only()
            .enable_http1()
            .wrap_connector(Tcp(tcp));
        Ok(Self { tls, limit })
    }

    pub async fn connect(&self, address: Uri) -> Result<Stream, ConnectError> {
        let limit = self.limit;
        tokio::time::timeout(limit, self.tls.clone().oneshot(address)).await.unwrap_or_else(|_| {
            let too_slow = format!("no connection within {} s", limit.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, too_slow).into())
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

/// TCP connections whose sockets can be looked at.
#[derive(Debug, Clone)]
struct Tcp(HttpConnector);

impl Service<Uri> for Tcp {
    type Response = TokioIo<SharedSocket>;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = self.0.call(address);
        Box::pin(async move { Ok(TokioIo::new(SharedSocket(Arc::new(connecting.await?.into_inner())))) })
    }
}

impl Connection for SharedSocket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// A firewall that forgets an idle connection silently is noticed before a request is sent into it.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);
