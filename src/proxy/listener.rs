//! The doors: accepts connections, lets hyper frame them, and drains them when it is time to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client_connection::ClientStream;
use super::service::Steps;

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

async fn serve(socket: TcpStream, peer: SocketAddr, steps: impl Steps, stop: Stop) {
    // An answer's last piece must not wait for more; fails only on a connection that is gone.
    let _ = socket.set_nodelay(true);
    let stream = ClientStream::new(socket, peer);
    let client = stream.connection();
    let service = service_fn(move |request| steps.clone().oneshot((client.clone(), request)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE)
        // A client that has closed its sending half still wants its answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        // The end first: an answer that comes after it says that the connection closes.
        biased;
        () = stop.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = stop.ending.cancelled() => return,
            }
        }
        result = connection.as_mut() => result,
    };
    match result {
        Err(error) if error.is_parse() => {
            tracing::warn!(client = %peer.ip().to_canonical(), "a request was refused with 400: it is not HTTP/1 ({error})");
        }
        Err(error) => tracing::debug!(client = %peer.ip().to_canonical(), "a client connection ended early: {error}"),
        Ok(()) => {}
    }
}

/// Idle client connections: legacy programs keep theirs for minutes between two calls.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
