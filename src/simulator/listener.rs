//! A TLS listener on loopback: it accepts connections, serves HTTP/1.1 on them and can break them off.

use std::convert::Infallible;
use std::future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lock::lock;

/// A service that a listener serves: Entra or Business Central.
pub(super) trait Handler: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error = Infallible> + Send + 'static;

    /// Called for every accepted connection; `false` closes it before a byte is exchanged.
    fn admits_connection(&self) -> bool {
        true
    }

    fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: ConnectionHandle,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// The connection that a request arrived on.
#[derive(Debug, Clone)]
pub(super) struct ConnectionHandle {
    /// The number of the connection on its listener, counted from 1.
    pub number: u64,
    breaking: Arc<AtomicU8>,
}

/// Closes connections: all that are open now, or all of them for good.
pub(super) struct ConnectionControl {
    stop: CancellationToken,
    /// The connections accepted since the last call of [`Self::close_connections`].
    open: Mutex<OpenConnections>,
}

/// Connections that are closed together.
#[derive(Clone)]
struct OpenConnections {
    end: CancellationToken,
    connections: TaskTracker,
}

impl ConnectionControl {
    pub fn new(stop: CancellationToken) -> Self {
        Self { open: Mutex::new(OpenConnections::new(&stop)), stop }
    }

    /// Closes every open connection and waits until they are closed. New connections are accepted meanwhile.
    pub async fn close_connections(&self) {
        let open = std::mem::replace(&mut *lock(&self.open), OpenConnections::new(&self.stop));
        open.end.cancel();
        open.connections.close();
        open.connections.wait().await;
    }

    fn open(&self) -> OpenConnections {
        lock(&self.open).clone()
    }
}

impl OpenConnections {
    fn new(stop: &CancellationToken) -> Self {
        Self { end: stop.child_token(), connections: TaskTracker::new() }
    }
}

/// The way in which a connection is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The bytes written so far arrive; then the connection ends without a TLS close, so that the cut is visible.
    Cut,
    /// A TCP reset. The bytes written last may be lost.
    Reset,
}

impl ConnectionHandle {
    /// Breaks the connection off once the bytes written so far have been flushed. Never returns: the caller is dropped
    /// together with its connection.
    pub async fn break_off(&self, how: Break) -> Infallible {
        self.request_break(how);
        future::pending().await
    }

    /// Like [`break_off`](Self::break_off), for a `poll_frame` that then returns `Pending`.
    pub fn request_break(&self, how: Break) {
        self.breaking.store(how as u8 + 1, Ordering::Release);
    }
}

/// Binds to 127.0.0.1, on any free port if none is given.
pub(super) async fn bind(port: Option<u16>) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await
}

/// Serves every connection until `connections` is stopped, which closes them all.
pub(super) async fn serve<S: Handler>(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: Arc<S>,
    connections: Arc<ConnectionControl>,
    tasks: TaskTracker,
) {
    let mut number = 0;
    while let Some(accepted) = connections.stop.run_until_cancelled(listener.accept()).await {
        let Ok((socket, _)) = accepted else {
            // Most likely out of file descriptors: retry once some have been freed.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if !service.admits_connection() {
            continue;
        }
        number += 1;
        let connection = serve_connection(socket, acceptor.clone(), service.clone(), number);
        let OpenConnections { end, connections: tracker } = connections.open();
        tasks.spawn(tracker.track_future(async move { end.run_until_cancelled(connection).await }));
    }
}

async fn serve_connection<S: Handler>(socket: TcpStream, acceptor: TlsAcceptor, service: Arc<S>, number: u64) {
    // Without TCP_NODELAY, small responses wait for the peer's delayed acknowledgment.
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = acceptor.accept(socket).await else {
        return;
    };
    let connection = ConnectionHandle { number, breaking: Arc::default() };
    let wire = AbortableStream { stream, breaking: connection.breaking.clone() };
    let service = service_fn(move |request| {
        let (service, connection) = (service.clone(), connection.clone());
        async move { Ok::<_, Infallible>(service.respond(request, connection).await) }
    });
    // An error here is a client that disconnected or an intended break; the request log has the outcome.
    let _ = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(wire), service).await;
}

/// A TLS stream that fails on the first flush after a break was requested.
///
/// hyper flushes in every iteration of its loop, so that failing there is early enough and loses no bytes already
/// written.
struct AbortableStream {
    stream: TlsStream<TcpStream>,
    breaking: Arc<AtomicU8>,
}

impl AsyncRead for AbortableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for AbortableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        let breaking = self.breaking.load(Ordering::Acquire);
        if breaking == 0 {
            return Poll::Ready(Ok(()));
        }
        if breaking == Break::Reset as u8 + 1 {
            self.stream.get_ref().0.set_zero_linger()?;
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
