//! Serves accepted connections: lets hyper parse their requests, and drains them on stop.

use std::net::SocketAddr;
use std::pin::Pin;
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
pub async fn serve_plain(socket: TcpStream, peer: SocketAddr, terms: Terms, _slot: ConnectionSlot, service: Service) {
    let stream = {
        let socket = Socket::new(socket, peer, Scheme::HTTP, &service.memory, terms);
        let client = socket.connection.clone();
        Box::new(RequestStream::new(socket, client))
    };
    serve(stream, service).await;
}

/// Serves a connection over HTTPS.
pub async fn serve_secured(
    socket: TcpStream,
    peer: SocketAddr,
    tls: TlsAcceptor,
    terms: Terms,
    _slot: ConnectionSlot,
    service: Service,
) {
    // Boxed: an idle connection need not hold the memory of a handshake.
    let mut securing = Box::pin(TlsSocket::accept(socket, peer, tls, &service.memory, terms));
    let tls_socket = tokio::select! {
        biased;
        tls_socket = &mut securing => tls_socket,
        () = service.stop.draining.cancelled() => match tokio::time::timeout(LAST_REQUEST_TIMEOUT, &mut securing).await {
            Ok(tls_socket) => tls_socket,
            Err(_) => return,
        },
    };
    drop(securing);
    let client = peer.ip().to_canonical();
    match tls_socket {
        Ok(socket) => {
            let client = socket.connection();
            serve(Box::new(RequestStream::new(socket, client)), service).await;
        }
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
}

/// Serves one client until either side closes the connection.
///
/// The stream is boxed because each future keeps a copy of what it passes on. An idle connection would hold four.
async fn serve<S: Readable>(mut stream: Box<RequestStream<S>>, service: Service) {
    let Service { path, current, rejected, stop, .. } = service;
    let client = stream.connection().clone();
    while let Some(idle) = serve_requests(stream, &client, &path, &current, &rejected, &stop).await {
        stream = idle;
        tokio::select! {
            biased;
            () = stop.draining.cancelled() => {
                if !client.has_unread() || !stream.readable(LAST_REQUEST_TIMEOUT).await {
                    return;
                }
            }
            is_readable = stream.readable(current.snapshot().keep_alive) => if !is_readable { return },
        }
    }
}

/// Lets hyper serve one request after another. Returns the stream when the client goes idle.
async fn serve_requests<S: Readable>(
    stream: Box<RequestStream<S>>,
    client: &Arc<ClientConnection>,
    path: &DataPath,
    current: &Current,
    rejected: &RejectedConnections,
    stop: &Stop,
) -> Option<Box<RequestStream<S>>> {
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
            let finished = async {
                match last_request(&mut connection, client).await {
                    Some(result) => result,
                    None => {
                        Pin::new(&mut *connection).graceful_shutdown();
                        (&mut *connection).await
                    }
                }
            };
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
