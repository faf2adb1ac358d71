//! Accepts connections and lets hyper parse their requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::connections::{Connections, InRequest};
use super::respond::respond;
use crate::admin::control::Control;
use crate::proxy::{self, BindError, Guard};

/// The admin listener in service. Dropping it stops it after the requests in flight.
#[derive(Debug)]
pub struct Admin {
    /// The address it listens on.
    pub address: SocketAddr,
    connections: TaskTracker,
    shutdown: DropGuard,
}

impl Admin {
    /// Binds `address` and serves it on the current runtime. Fails when the address can't be bound.
    ///
    /// At most 256 connections are open, fewer under a low limit on open files. For a new one, the oldest idle one is
    /// closed.
    pub fn start(address: SocketAddr, control: Control) -> Result<Self, BindError> {
        let listener = proxy::bind("admin", address, false)?;
        let address = listener.local_addr().unwrap_or(address);
        let (connections, shutdown) = (TaskTracker::new(), CancellationToken::new());
        tokio::spawn(accept(listener, control, connections.clone(), shutdown.clone()));
        Ok(Self { address, connections, shutdown: shutdown.drop_guard() })
    }

    /// Stops it and waits for the requests in flight, at most a second.
    pub async fn close(self) {
        drop(self.shutdown);
        self.connections.close();
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.connections.wait()).await;
    }
}

async fn accept(listener: TcpListener, control: Control, connections: TaskTracker, shutdown: CancellationToken) {
    let guard = Arc::new(Guard::of_this_machine());
    let mut open = Connections::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) if open.evict_if_full() => {
                let in_request = InRequest::default();
                let serving = serve(socket, control.clone(), guard.clone(), in_request.clone(), shutdown.clone());
                open.add(connections.spawn(serving).abort_handle(), in_request);
            }
            // All connections wait for responses: this one is closed.
            Ok(_) => {}
            Err(_) => tokio::time::sleep(ACCEPT_BACK_OFF).await,
        }
    }
}

async fn serve(
    socket: TcpStream,
    control: Control,
    guard: Arc<Guard>,
    in_request: InRequest,
    shutdown: CancellationToken,
) {
    let service = service_fn(|request| {
        let in_request = in_request.begin();
        respond(request, control.clone(), guard.clone()).inspect(move |_| drop(in_request))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    // Connection errors concern the client only.
    tokio::select! {
        _ = &mut connection => {}
        () = shutdown.cancelled() => {
            Pin::as_mut(&mut connection).graceful_shutdown();
            let _ = connection.await;
        }
    }
}

const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
