//! Accepts connections, lets hyper frame them, and drains them when it is time to stop.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::bind::{MOST_WAITING, Tls};
use super::client::{BacklogBudget, ClientConnection, Readable, RequestStream, SecuredSocket, Socket, raw_answer};
use super::connection_limit::{ConnectionLimit, LimitExceeded, LimitReached};
use crate::business_central::Dialect;
use crate::proxy::service::Steps;
use crate::proxy::snapshot::Current;
use crate::proxy::step::Arrived;

/// When to stop, and who is still at it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Accept nothing more, close what is idle, finish what runs.
    pub draining: CancellationToken,
    /// End everything.
    pub ending: CancellationToken,
    pub connections: TaskTracker,
}

/// What everybody who comes in is served with.
#[derive(Debug, Clone)]
pub struct Service<S> {
    pub steps: S,
    pub current: Current,
    pub budget: BacklogBudget,
    pub stop: Stop,
}

/// Accepts until `accepting` is cancelled, then all those who are waiting still, and closes the door.
pub async fn accept(
    listener: TcpListener,
    tls: Tls,
    accepting: CancellationToken,
    connection_limit: ConnectionLimit,
    service: Service<impl Steps>,
) {
    let turned_away = Arc::new(Semaphore::new(TOLD_AT_ONCE));
    let welcome = |(socket, peer): (TcpStream, SocketAddr)| {
        let client = peer.ip().to_canonical();
        match connection_limit.take(client) {
            Ok(place) => {
                let (service, connections) = (service.clone(), service.stop.connections.clone());
                match tls.acceptor() {
                    None => connections.spawn(place.held_by(serve_plain(socket, peer, service))),
                    Some(tls) => connections.spawn(place.held_by(serve_secured(socket, peer, tls, service))),
                };
            }
            Err(LimitExceeded { why, should_log }) => {
                if should_log {
                    tracing::warn!(%client, "a connection was turned away: {why}");
                }
                // Through TLS it could be said only after a handshake, which costs more than the connection.
                if tls.acceptor().is_none()
                    && let Ok(told) = turned_away.clone().try_acquire_owned()
                {
                    tokio::spawn(async move {
                        turn_away(socket, why).await;
                        drop(told);
                    });
                }
            }
        }
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = accepting.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => welcome(accepted),
            Err(error) => {
                // Out of file descriptors, mostly: some are given back soon, and spinning would not help.
                tracing::warn!(
                    "a connection can't be accepted ({error}); raise the limit of open files if this goes on"
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // To those who wait, they are in: closing the door would reset their connections. The runtime may not have heard of the last ones.
    let Ok(listener) = listener.into_std() else { return };
    let waiting = std::iter::from_fn(|| {
        let (socket, peer) = listener.accept().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(socket).ok()?, peer))
    });
    waiting.take(MOST_WAITING.into()).for_each(welcome);
}

/// Says why there is no place, and waits a little for the client to have read it.
async fn turn_away(mut socket: TcpStream, why: LimitReached) {
    let message = format!("bcproxy takes no connection now: {why}.");
    let answer = raw_answer(StatusCode::SERVICE_UNAVAILABLE, Dialect::OData, "Proxy_TooManyConnections", &message);
    let told = async {
        socket.write_all(&answer).await?;
        socket.shutdown().await?;
        // Closing a socket with unread bytes resets it, and the reset overtakes the answer.
        tokio::io::copy(&mut socket, &mut tokio::io::sink()).await
    };
    // Whoever does not listen misses it.
    let _ = tokio::time::timeout(TELLING_TIME, told).await;
}

async fn serve_plain(socket: TcpStream, peer: SocketAddr, service: Service<impl Steps>) {
    let socket = Socket::new(socket, peer, Scheme::HTTP, service.budget.clone());
    let client = socket.connection();
    serve(socket, client, service).await;
}

async fn serve_secured(socket: TcpStream, peer: SocketAddr, tls: TlsAcceptor, service: Service<impl Steps>) {
    // On the heap: what a handshake needs, an idle connection need not keep.
    let mut securing = Box::pin(SecuredSocket::secure(socket, peer, tls, service.budget.clone()));
    let secured = tokio::select! {
        biased;
        secured = &mut securing => secured,
        () = service.stop.draining.cancelled() => match tokio::time::timeout(LAST_REQUEST_TIME, &mut securing).await {
            Ok(secured) => secured,
            Err(_) => return,
        },
    };
    drop(securing);
    let client = peer.ip().to_canonical();
    match secured {
        Ok(socket) => {
            let client = socket.connection();
            serve(socket, client, service).await;
        }
        Err(reason) if reason.is_worth_a_warning() => {
            tracing::warn!(%client, "an HTTPS connection was refused: {reason}");
            service.stop.ending.run_until_cancelled(reason.answer()).await;
        }
        Err(reason) => tracing::debug!(%client, "no HTTPS connection: {reason}"),
    }
}

/// Serves one client until it, or we, close the connection.
async fn serve<S: ClientStream>(socket: S, client: Arc<ClientConnection>, service: Service<impl Steps>) {
    let Service { steps, current, stop, .. } = service;
    let mut stream = RequestStream::new(socket, client.clone());
    while let Some(resting) = converse(stream, &client, &steps, &stop).await {
        stream = resting;
        tokio::select! {
            biased;
            () = stop.draining.cancelled() => {
                if !client.has_unread() || !stream.readable(LAST_REQUEST_TIME).await {
                    return;
                }
            }
            is_readable = stream.readable(current.snapshot().keep_alive) => if !is_readable { return },
        }
    }
}

/// Has hyper serve one request after another; the stream, if the client pauses.
async fn converse<S: ClientStream>(
    stream: RequestStream<S>,
    client: &Arc<ClientConnection>,
    steps: &impl Steps,
    stop: &Stop,
) -> Option<RequestStream<S>> {
    let service = service_fn(|request: Request<Incoming>| {
        let number = client.request_begins(&request.body().size_hint());
        steps.clone().oneshot(Arrived { client: client.clone(), number, request })
    });
    // A client that has closed its sending half still wants its answer.
    let mut connection =
        Box::new(http1::Builder::new().half_close(true).serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        // The end first: an answer that comes after it says that the connection closes.
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
            tokio::select! {
                result = finished => result,
                () = stop.ending.cancelled() => return None,
            }
        }
        result = until_it_rests(&mut connection, client) => match result {
            Some(result) => result,
            None => return Some((*connection).into_parts().io.into_inner()),
        }
    };
    let address = client.ip();
    match (result, client.unreadable()) {
        (_, Some(reason)) => tracing::warn!(client = %address, "a request was refused: {reason}"),
        (Err(error), None) if error.is_parse() => {
            tracing::warn!(client = %address, "a request was refused with 400: it is not HTTP/1 ({error})");
        }
        (Err(error), None) => tracing::debug!(client = %address, "a client connection ended early: {error}"),
        (Ok(()), None) => {}
    }
    None
}

/// Lets a request that has come, or is about to, be understood before its connection ends; what became of that if it has ended.
///
/// To its client, a connection was as good as any other when it was opened, or a request sent on it.
async fn last_request<C: Future + Unpin>(connection: &mut C, client: &ClientConnection) -> Option<C::Output> {
    let before = client.requests();
    if before > 0 && !client.has_unread() {
        return None;
    }
    let understood = std::future::poll_fn(|context| match Pin::new(&mut *connection).poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if client.requests() != before => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    tokio::time::timeout(LAST_REQUEST_TIME, understood).await.ok().flatten()
}

/// What became of the connection; `None` as soon as its client pauses.
async fn until_it_rests<C: Future + Unpin>(connection: &mut C, client: &ClientConnection) -> Option<C::Output> {
    std::future::poll_fn(|context| match Pin::new(&mut *connection).poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if client.is_resting() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// What a client's bytes come from, and go to.
trait ClientStream: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static> ClientStream for S {}

/// How long a client that has connected, or begun a request, when we stop has for the rest of its head.
const LAST_REQUEST_TIME: Duration = Duration::from_secs(2);

/// How long a client that is turned away has to read why, and how many are told at once.
const TELLING_TIME: Duration = Duration::from_secs(1);
const TOLD_AT_ONCE: usize = 64;

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
