//! A connection: its TLS handshake, and hyper, which parses its requests.

use std::time::Duration;

use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connections::InRequest;
use super::respond::{Service, Speaks};
use crate::admin::access::Peer;

/// An accepted connection.
pub struct Transport {
    pub socket: TcpStream,
    /// `None`: plain HTTP.
    pub tls: Option<TlsAcceptor>,
    pub peer: Peer,
}

/// Serves a connection until either side closes it.
pub async fn serve(transport: Transport, service: Service, in_request: InRequest, draining: CancellationToken) {
    let Transport { socket, tls, peer } = transport;
    let Some(tls) = tls else {
        return serve_requests(socket, peer, Speaks::AsExpected, service, in_request, draining).await;
    };
    let handshake = async {
        let mut first = [0];
        match socket.peek(&mut first).await {
            Ok(1..) if first == [HANDSHAKE_RECORD] => Some(Ok(tls.accept(socket).await)),
            Ok(1..) => Some(Err(socket)),
            // The client only checked that something listens.
            _ => None,
        }
    };
    let secured = tokio::select! {
        biased;
        secured = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake) => secured,
        () = draining.cancelled() => return,
    };
    match secured {
        Ok(Some(Ok(Ok(stream)))) => {
            serve_requests(stream, peer, Speaks::AsExpected, service, in_request, draining).await;
        }
        Ok(Some(Err(socket))) => {
            serve_requests(socket, peer, Speaks::HttpOnHttps, service, in_request, draining).await;
        }
        Ok(Some(Ok(Err(error)))) => service.log_rejected(peer.client, &format!("the TLS handshake failed: {error}")),
        Err(_) => service.log_rejected(peer.client, "the TLS handshake took longer than 10 s"),
        Ok(None) => {}
    }
}

async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    speaks: Speaks,
    service: Service,
    in_request: InRequest,
    draining: CancellationToken,
) {
    let service = service_fn(|request| {
        let in_request = in_request.begin();
        service.clone().respond(request, peer, speaks).inspect(move |_| drop(in_request))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // Connection errors concern the client only.
    tokio::select! {
        _ = &mut connection => {}
        () = draining.cancelled() => {
            Pin::as_mut(&mut connection).graceful_shutdown();
            let _ = connection.await;
        }
    }
}

const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// From the accepted connection to the last message of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The beginning of every TLS connection (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;
