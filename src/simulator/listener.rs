//! A TLS listener on loopback: accepts connections, speaks HTTP/1.1 on them and can break them off.

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

use super::sync::lock;

/// One of the two services, as a listener sees it.
pub(super) trait Service: Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error = Infallible> + Send + 'static;

    /// Asked for every accepted connection; `false` closes it before a byte is exchanged.
    fn admits_connection(&self) -> bool {
        true
    }

    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Connection,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// The connection a request came in on.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// Counts the listener's connections from 1.
    pub number: u64,
    breaking: Arc<AtomicU8>,
}

/// What ends connections: all that are open now, or everything for good.
pub(super) struct Door {
    stop: CancellationToken,
    /// Those that were accepted since the others were last ended.
    open: Mutex<Open>,
}

/// Connections that end together.
#[derive(Clone)]
struct Open {
    end: CancellationToken,
    connections: TaskTracker,
}

impl Door {
    pub fn new(stop: CancellationToken) -> Self {
        Self { open: Mutex::new(Open::new(&stop)), stop }
    }

    /// Ends every open connection at once, and itself when they are closed; new ones are accepted as before.
    pub async fn close_connections(&self) {
        let open = std::mem::replace(&mut *lock(&self.open), Open::new(&self.stop));
        open.end.cancel();
        open.connections.close();
        open.connections.wait().await;
    }

    fn open(&self) -> Open {
        lock(&self.open).clone()
    }
}

impl Open {
    fn new(stop: &CancellationToken) -> Self {
        Self { end: stop.child_token(), connections: TaskTracker::new() }
    }
}

/// How a connection is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Everything written so far arrives, then the connection ends without a TLS close: visibly cut.
    Cut,
    /// A TCP reset; what was written last may be lost on the way.
    Reset,
}

impl Connection {
    /// Breaks the connection off as soon as everything written so far has been handed to the system. Never returns:
    /// the caller ends with its connection.
    pub async fn break_off(&self, how: Break) -> Infallible {
        self.request_break(how);
        future::pending().await
    }

    /// Like [`break_off`](Self::break_off), for a body's `poll_frame`, which then stays pending.
    pub fn request_break(&self, how: Break) {
        self.breaking.store(how as u8 + 1, Ordering::Release);
    }
}

/// Binds to 127.0.0.1, to any free port when none is given.
pub(super) async fn bind(port: Option<u16>) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await
}

/// Serves every connection until the door is closed for good, which ends them all.
pub(super) async fn serve<S: Service>(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: Arc<S>,
    door: Arc<Door>,
    tasks: TaskTracker,
) {
    let mut number = 0;
    while let Some(accepted) = door.stop.run_until_cancelled(listener.accept()).await {
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors, most likely: try again when some have been given back.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if !service.admits_connection() {
            continue;
        }
        number += 1;
        let connection = serve_connection(socket, acceptor.clone(), service.clone(), number);
        let Open { end, connections } = door.open();
        tasks.spawn(connections.track_future(async move { end.run_until_cancelled(connection).await }));
    }
}

async fn serve_connection<S: Service>(socket: TcpStream, acceptor: TlsAcceptor, service: Arc<S>, number: u64) {
    // Without TCP_NODELAY small answers wait for the peer's delayed acknowledgement.
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = acceptor.accept(socket).await else {
        return;
    };
    let connection = Connection { number, breaking: Arc::default() };
    let wire = Wire { stream, breaking: connection.breaking.clone() };
    let service = service_fn(move |request| {
        let (service, connection) = (service.clone(), connection.clone());
        async move { Ok::<_, Infallible>(service.answer(request, connection).await) }
    });
    // An error here is a client that went away or a connection broken off on purpose: the record tells.
    let _ = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(wire), service).await;
}

/// A TLS stream that fails once it has been flushed after its breaking was asked for.
///
/// hyper flushes after every turn of its loop, so failing there is early enough and loses nothing already written.
struct Wire {
    stream: TlsStream<TcpStream>,
    breaking: Arc<AtomicU8>,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
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
