//! Accepts connections, within their limits.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::bind::{MAX_BACKLOG, Terms, TermsInForce};
use super::client::raw_response;
use super::connection_limit::{ConnectionLimit, ConnectionSlot, LimitExceeded, LimitReached};
use super::proxy_protocol::read_client;
use super::rejected_connections::{ConnectionRejection, RejectedConnections};
use super::serve::{Service, serve_plain, serve_secured};
use crate::business_central::Dialect;
use crate::guide::{Event, RejectionCode};

/// Accepts connections until `accepting` is canceled, then those that are still waiting, and closes the listener.
pub async fn accept(
    listener: TcpListener,
    terms: Terms,
    accepting: CancellationToken,
    connection_limit: ConnectionLimit,
    service: Service,
) {
    let service = Arc::new(service);
    let notices = Arc::new(Semaphore::new(MAX_NOTICES));
    let accept_connection = |(socket, peer): (TcpStream, SocketAddr)| {
        let (of_listener, terms, service) = (terms.clone(), terms.in_force(), service.clone());
        let connections = service.stop.connections.clone();
        let client = peer.ip().to_canonical();
        if terms.balancers.as_ref().is_some_and(|balancers| balancers.contains(client)) {
            match connection_limit.take_for_balancer() {
                Ok(slot) => {
                    connections.spawn(serve_balanced(socket, peer, slot, of_listener, service, notices.clone()));
                }
                Err(exceeded) => reject(socket, client, exceeded, &terms, &notices, &service.rejected),
            }
            return;
        }
        // Its clients are told apart by request.
        let is_forwarder = terms.forwarders.as_ref().is_some_and(|forwarders| forwarders.contains(client));
        let slot = if is_forwarder { connection_limit.take_for_balancer() } else { connection_limit.take(client) };
        match (slot, &terms.tls) {
            (Ok(slot), None) => {
                connections.spawn(serve_plain(socket, peer, of_listener, slot, service));
            }
            (Ok(slot), Some(tls)) => {
                connections.spawn(serve_secured(socket, peer, tls.clone(), of_listener, slot, service));
            }
            (Err(exceeded), _) => reject(socket, client, exceeded, &terms, &notices, &service.rejected),
        }
    };
    let mut last_logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = accepting.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => accept_connection(accepted),
            Err(error) => {
                // Mostly the limit of open files: some are released soon, and a busy loop would not help.
                if last_logged.is_none_or(|last_logged| last_logged.elapsed() > ACCEPT_LOG_INTERVAL) {
                    tracing::warn!(
                        "can't accept connections ({error}). If this persists, raise the limit of open files"
                    );
                    last_logged = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // To their clients, waiting connections are open: closing the listener would reset them. The runtime may not know
    // of the latest ones.
    let Ok(listener) = listener.into_std() else { return };
    let waiting = std::iter::from_fn(|| {
        let (socket, peer) = listener.accept().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(socket).ok()?, peer))
    });
    waiting.take(MAX_BACKLOG.into()).for_each(accept_connection);
}

/// Rejects a connection beyond a limit.
fn reject(
    socket: TcpStream,
    client: IpAddr,
    LimitExceeded { why, should_log }: LimitExceeded,
    terms: &TermsInForce,
    notices: &Arc<Semaphore>,
    rejected: &RejectedConnections,
) {
    rejected.count(why.rejection());
    if should_log {
        let event_id = (!matches!(why, LimitReached::Client(_))).then(|| Event::ConnectionsRejected.id());
        tracing::warn!(event_id, %client, "rejected a connection: {why}");
    }
    // Behind TLS this would need a handshake, which costs more than the connection.
    if terms.tls.is_none()
        && let Ok(notice) = notices.clone().try_acquire_owned()
    {
        tokio::spawn(reject_connection(socket, why, notice));
    }
}

/// Tells the client why it is rejected, and gives it a moment to read that.
async fn reject_connection(mut socket: TcpStream, why: LimitReached, _notice: OwnedSemaphorePermit) {
    let message = format!("bcproxy accepts no further connection: {why}.");
    let code = RejectionCode::TooManyConnections;
    let response = raw_response(code.status(), Dialect::OData, code, &message);
    let notice = async {
        socket.write_all(&response).await?;
        socket.shutdown().await?;
        // Closing a socket with unread bytes resets it, and the reset would overtake the response.
        tokio::io::copy(&mut socket, &mut tokio::io::sink()).await
    };
    // A client that does not read misses it.
    let _ = tokio::time::timeout(NOTICE_TIMEOUT, notice).await;
}

/// Serves the client that a load balancer names first.
async fn serve_balanced(
    mut socket: TcpStream,
    balancer: SocketAddr,
    mut slot: ConnectionSlot,
    of_listener: Terms,
    service: Arc<Service>,
    notices: Arc<Semaphore>,
) {
    let terms = of_listener.in_force();
    let read = tokio::select! {
        biased;
        () = service.stop.draining.cancelled() => return,
        read = read_client(&mut socket) => read,
    };
    let client = match read {
        Ok(client) => client.unwrap_or(balancer),
        Err(reason) => {
            service.rejected.count(ConnectionRejection::ProxyProtocol);
            let address = balancer.ip().to_canonical();
            if service.current.snapshot().records.problems.line_limit.admits_rejection(address) {
                tracing::warn!("rejected a connection of the load balancer {address}: {reason}");
            }
            return;
        }
    };
    if let Err(exceeded) = slot.assign(client.ip().to_canonical()) {
        return reject(socket, client.ip().to_canonical(), exceeded, &terms, &notices, &service.rejected);
    }
    match &terms.tls {
        None => serve_plain(socket, client, of_listener, slot, service).await,
        Some(tls) => serve_secured(socket, client, tls.clone(), of_listener, slot, service).await,
    }
}

/// How long a rejected client has to read why, and how many are told at the same time.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_NOTICES: usize = 64;

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Minimum interval between two log lines about it.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(10);
