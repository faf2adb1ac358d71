//! The doors: accepts connections, lets hyper frame them, and drains them when it is time to stop.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client::{ClientConnection, RequestStream, Socket};
use super::service::Steps;
use super::step::Arrived;

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{key}: can't listen on {address}: {}", explain(.reason))]
pub struct BindError {
    /// The key of proxy.yaml that names the address.
    pub key: &'static str,
    pub address: SocketAddr,
    pub reason: io::Error,
}

/// Opens a door.
pub async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|reason| BindError { key, address, reason })
}

fn explain(reason: &io::Error) -> String {
    match reason.kind() {
        io::ErrorKind::AddrInUse => {
            "another program (or another bcproxy) uses this port; stop it or choose another port".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not use this port; choose one above 1023 or give the service the right to".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; use one of its own".to_owned(),
        _ => format!("{reason}"),
    }
}

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
pub async fn accept(listener: TcpListener, steps: impl Steps, stop: Stop) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                stop.connections.spawn(serve(socket, peer, steps.clone(), stop.clone()));
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

/// Serves one client until it, or we, close the connection.
async fn serve(socket: TcpStream, peer: SocketAddr, steps: impl Steps, stop: Stop) {
    let socket = Socket::new(socket, peer);
    let client = socket.connection();
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
async fn converse(
    stream: ClientStream,
    client: &Arc<ClientConnection>,
    steps: &impl Steps,
    stop: &Stop,
) -> Option<ClientStream> {
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

type ClientStream = RequestStream<Socket>;

/// Idle client connections: legacy programs keep theirs for minutes between two calls.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
