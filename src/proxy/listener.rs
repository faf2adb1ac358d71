//! Accepts connections, lets hyper frame them, and drains them when it is time to stop.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client::{ClientConnection, Readable, RequestStream, SecuredSocket, Socket};
use super::door::Door;
use super::service::Steps;
use super::step::Arrived;

/// When to stop, and who is still at it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Accept nothing more, close what is idle, finish what runs.
    pub draining: CancellationToken,
    /// End everything.
    pub ending: CancellationToken,
    pub connections: TaskTracker,
}

/// Accepts until the draining begins.
pub async fn accept(door: Door, steps: impl Steps, stop: Stop) {
    let Door { listener, tls, .. } = door;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (steps, stop) = (steps.clone(), stop.clone());
                let connections = stop.connections.clone();
                match &tls {
                    None => connections.spawn(serve_plain(socket, peer, steps, stop)),
                    Some(tls) => connections.spawn(serve_secured(socket, peer, tls.clone(), steps, stop)),
                };
            }
            Err(error) => {
                // Out of file descriptors, mostly: some are given back soon, and spinning would not help.
                tracing::warn!(
                    "a connection can't be accepted ({error}); raise the limit of open files if this goes on"
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_plain(socket: TcpStream, peer: SocketAddr, steps: impl Steps, stop: Stop) {
    let socket = Socket::new(socket, peer, Scheme::HTTP);
    let client = socket.connection();
    serve(socket, client, steps, stop).await;
}

async fn serve_secured(socket: TcpStream, peer: SocketAddr, tls: TlsAcceptor, steps: impl Steps, stop: Stop) {
    let secured = tokio::select! {
        biased;
        () = stop.draining.cancelled() => return,
        // On the heap: what a handshake needs, an idle connection need not keep.
        secured = Box::pin(SecuredSocket::secure(socket, peer, tls)) => secured,
    };
    let client = peer.ip().to_canonical();
    match secured {
        Ok(socket) => {
            let client = socket.connection();
            serve(socket, client, steps, stop).await;
        }
        Err(reason) if reason.is_worth_a_warning() => {
            tracing::warn!(%client, "an HTTPS connection was refused: {reason}");
            stop.ending.run_until_cancelled(reason.answer()).await;
        }
        Err(reason) => tracing::debug!(%client, "no HTTPS connection: {reason}"),
    }
}

/// Serves one client until it, or we, close the connection.
async fn serve<S: ClientStream>(socket: S, client: Arc<ClientConnection>, steps: impl Steps, stop: Stop) {
    let mut stream = RequestStream::new(socket, client.clone());
    while let Some(resting) = converse(stream, &client, &steps, &stop).await {
        stream = resting;
        tokio::select! {
            biased;
            () = stop.draining.cancelled() => return,
            is_readable = stream.readable(KEEP_ALIVE) => if !is_readable { return },
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
            Pin::new(&mut *connection).graceful_shutdown();
            tokio::select! {
                result = &mut *connection => result,
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

/// Idle client connections: legacy programs keep theirs for minutes between two calls.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
