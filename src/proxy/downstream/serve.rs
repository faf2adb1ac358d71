//! Serves accepted connections: lets hyper parse their requests, and drains them on stop.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::bind::Terms;
use super::client::{ClientConnection, Readable, RequestStream, Socket, TlsAcceptError, TlsSocket};
use super::connection_limit::ConnectionSlot;
use super::rejected_connections::{ConnectionRejection, RejectedConnections};
use crate::proxy::budgets::fair_budget::FairBudget;
use crate::proxy::service::DataPath;
use crate::proxy::snapshot::Current;
use crate::proxy::step::Arrived;

/// When to stop, and which connections are still open.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Accept no more connections, close idle ones, finish requests in flight.
    pub draining: CancellationToken,
    /// Abort everything.
    pub ending: CancellationToken,
    pub connections: TaskTracker,
}

/// What connections are served with.
#[derive(Debug, Clone)]
pub struct Service {
    pub path: DataPath,
    pub current: Current,
    /// The budget for what clients make the proxy hold in memory.
    pub memory: FairBudget,
    /// Counts connections that are rejected.
    pub rejected: RejectedConnections,
    pub stop: Stop,
}

/// Serves a connection over plain HTTP.
///
/// The futures of connections are most of what idle clients cost. An `async fn` would hold each argument twice.
pub fn serve_plain(
    socket: TcpStream,
    peer: SocketAddr,
    terms: Terms,
    slot: ConnectionSlot,
    service: Arc<Service>,
) -> impl Future<Output = ()> {
    let socket = Socket::new(socket, peer, Scheme::HTTP, &service.memory, terms);
    let client = socket.connection.clone();
    serve(Box::new(RequestStream::new(socket, client)), slot, service)
}

/// Serves a connection over HTTPS.
pub fn serve_secured(
    socket: TcpStream,
    peer: SocketAddr,
    tls: TlsAcceptor,
    terms: Terms,
    slot: ConnectionSlot,
    service: Arc<Service>,
) -> impl Future<Output = ()> {
    // Boxed: an idle connection need not hold the memory of a handshake.
    let securing = Box::pin(secure(socket, peer, tls, terms, slot, service));
    async move {
        if let Some((socket, slot, service)) = securing.await {
            let client = socket.connection();
            serve(Box::new(RequestStream::new(socket, client)), slot, service).await;
        }
    }
}

/// Establishes TLS. `None` if that fails: then the client knows why, as far as it can be told.
async fn secure(
    socket: TcpStream,
    peer: SocketAddr,
    tls: TlsAcceptor,
    terms: Terms,
    slot: ConnectionSlot,
    service: Arc<Service>,
) -> Option<(TlsSocket, ConnectionSlot, Arc<Service>)> {
    let tls_socket = {
        let mut accepting = pin!(TlsSocket::accept(socket, peer, tls, &service.memory, terms));
        tokio::select! {
            biased;
            tls_socket = &mut accepting => tls_socket,
            () = service.stop.draining.cancelled() => {
                tokio::time::timeout(LAST_REQUEST_TIMEOUT, &mut accepting).await.ok()?
            }
        }
    };
    let client = peer.ip().to_canonical();
    match tls_socket {
        Ok(socket) => return Some((socket, slot, service)),
        Err(reason @ TlsAcceptError::NoData) => {
            tracing::debug!(%client, "an HTTPS connection was not established: {reason}");
        }
        Err(reason) => {
            service.rejected.count(reason.rejection());
            if service.current.snapshot().records.problems.line_limit.admits_rejection(client) {
                tracing::warn!(%client, "rejected an HTTPS connection: {reason}");
            }
            service.stop.ending.run_until_cancelled(reason.response()).await;
        }
    }
    None
}

/// Serves one client until either side closes the connection.
///
/// The stream is boxed because each future keeps a copy of what it passes on. An idle connection would hold four.
#[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
fn serve<S: Readable>(
    mut stream: Box<RequestStream<S>>,
    slot: ConnectionSlot,
    service: Arc<Service>,
) -> impl Future<Output = ()> {
    async move {
        let client = stream.connection().clone();
        let draining = &service.stop.draining;
        while let Some(idle) = serve_requests(stream, &client, &service).await {
            stream = idle;
            tokio::select! {
                biased;
                () = draining.cancelled() => {
                    if !client.has_unread() || !stream.readable(LAST_REQUEST_TIMEOUT).await {
                        break;
                    }
                }
                is_readable = stream.readable(service.current.snapshot().keep_alive) => if !is_readable { break },
            }
        }
        drop(slot);
    }
}

/// Lets hyper serve one request after another. Returns the stream when the client goes idle.
async fn serve_requests<S: Readable>(
    stream: Box<RequestStream<S>>,
    client: &Arc<ClientConnection>,
    service: &Service,
) -> Option<Box<RequestStream<S>>> {
    let Service { path, current, rejected, stop, .. } = service;
    let service = service_fn(|request: Request<Incoming>| {
        let number = client.request_begins(&request.body().size_hint());
        let responding = path.clone().call(Arrived { client: client.clone(), number, request });
        responding.inspect(|_| client.head_follows())
    });
    // A client that has closed its sending half still wants its response.
    let mut connection =
        Box::new(http1::Builder::new().half_close(true).serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        // The drain first: a response that follows announces that the connection closes.
        biased;
        () = stop.draining.cancelled() => {
            // Boxed because it is rare: every connection's future would be larger by it.
            let finished = Box::pin(async {
                match last_request(&mut connection, client).await {
                    Some(result) => result,
                    None => {
                        Pin::new(&mut *connection).graceful_shutdown();
                        (&mut *connection).await
                    }
                }
            });
            stop.ending.run_until_cancelled(finished).await?
        }
        result = unless(&mut connection, || client.is_idle()) => match result {
            Some(result) => result,
            None => return Some((*connection).into_parts().io.into_inner()),
        }
    };
    let address = client.ip();
    let admits = || current.snapshot().records.problems.line_limit.admits_rejection(address);
    match (result, client.unparsable.get()) {
        (_, Some(unparsable)) => {
            if let Some(why) = unparsable.rejection() {
                rejected.count(why);
            }
            if admits() {
                tracing::warn!(client = %address, "rejected a request: {}", unparsable.reason);
            }
        }
        (Err(error), None) if error.is_parse() => {
            rejected.count(ConnectionRejection::MalformedRequest);
            if admits() {
                tracing::warn!(client = %address, "rejected a request with 400: it is not HTTP/1 ({error})");
            }
        }
        (Err(error), None) => tracing::debug!(client = %address, "a client connection ended early: {error}"),
        (Ok(()), None) => {}
    }
    None
}

/// Lets a request that has arrived, or is about to, be parsed before its connection is drained. Returns the result if
/// the connection has ended.
async fn last_request<C: Future + Unpin>(connection: &mut C, client: &ClientConnection) -> Option<C::Output> {
    let before = client.requests();
    if before > 0 && !client.has_unread() {
        return None;
    }
    let parsed = unless(connection, || client.requests() != before);
    tokio::time::timeout(LAST_REQUEST_TIMEOUT, parsed).await.ok().flatten()
}

/// The result of the connection; `None` as soon as it waits while this condition holds.
async fn unless<C: Future + Unpin>(connection: &mut C, holds: impl Fn() -> bool) -> Option<C::Output> {
    std::future::poll_fn(|context| match Pin::new(&mut *connection).poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if holds() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// How long a client that has connected, or begun a request, has for the rest of its head when the drain begins.
const LAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
