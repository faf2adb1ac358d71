//! A request's head without a connection it came in on: repaired and read as one that did.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connection::ClientConnection;
use super::request_stream::RequestStream;
use super::unreadable;
use super::write_backlog::BacklogBudget;
use crate::proxy::downstream::bind::LocalAddress;

/// The answer to a head that no parser takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// As the client gets it.
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
}

/// What the steps of the data path would get of this head, sent by this client to this address of ours.
pub async fn read(
    head: &[u8],
    client: IpAddr,
    local: &LocalAddress,
) -> Result<(Arc<ClientConnection>, Parts), Unreadable> {
    let peer = SocketAddr::new(client, UNKNOWN_PORT);
    let connection = Arc::new(ClientConnection::new(
        peer,
        Some(local.socket),
        local.scheme.clone(),
        Weak::new(),
        BacklogBudget::default(),
    ));
    let (mut client, server) = tokio::io::duplex(head.len().max(ANSWER_BYTES));
    let read = Mutex::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        connection.request_begins(&request.body().size_hint());
        let (head, _) = request.into_parts();
        read.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(head);
        std::future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let stream = TokioIo::new(RequestStream::new(server, connection.clone()));
    let serving = async {
        // That it could not be read is known to the connection.
        let _ = http1::Builder::new().half_close(true).serve_connection(stream, service).await;
    };
    let sending = async {
        let mut answer = Vec::new();
        // Both sides are here, so that neither fails; what would not fit into the pipe is still read on the other side.
        let _ = client.write_all(head).await;
        let _ = client.shutdown().await;
        let _ = client.read_to_end(&mut answer).await;
        answer
    };
    let ((), answer) = tokio::join!(serving, sending);
    match (read.into_inner().unwrap_or_else(PoisonError::into_inner), connection.unreadable()) {
        (Some(head), _) => Ok((connection, head)),
        (None, reason) => Err(Unreadable {
            status: answer.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok()).unwrap_or_default(),
            code: unreadable::CODE,
            message: unreadable::message(reason.unwrap_or(unreadable::diagnose(head))),
        }),
    }
}

/// What a client on the same machine would have been given by its system.
const UNKNOWN_PORT: u16 = 0;

/// More than any answer of ours to an unreadable head.
const ANSWER_BYTES: usize = 64 * 1024;
