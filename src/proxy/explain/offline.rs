//! The request that is asked about, and its head: repaired and parsed as if it had come on a connection.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::{Body, Incoming};
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::report::Rejected;
use crate::config::{Config, Listener};
use crate::guide::RejectionCode;
use crate::proxy::budgets::fair_budget::FairBudget;
use crate::proxy::downstream::bind::{LocalAddress, Terms};
use crate::proxy::downstream::client::{ClientConnection, RequestStream, unparsable};

/// A request that is asked about.
#[derive(Debug)]
pub struct Question {
    pub method: String,
    /// As a program would write it into its request line; may hold what an address can't.
    pub target: Vec<u8>,
    /// Lines: `Name: value`.
    pub headers: Vec<String>,
    pub client: IpAddr,
    /// `None` when it was not given.
    pub body: Option<Bytes>,
}

impl Question {
    /// The head as it would come in: with the `Host` of a client that reached us by our own address, unless the
    /// question names another.
    pub(super) fn head(&self, local: &LocalAddress) -> Vec<u8> {
        let names_host = self
            .headers
            .iter()
            .any(|line| line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(HOST.as_str())));
        let mut head = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        let host = (!names_host).then(|| format!("Host: {}", local.socket));
        for line in host.iter().chain(&self.headers) {
            head.extend_from_slice(line.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Our own address as a client on this machine writes it.
pub fn local_address(config: &Config) -> LocalAddress {
    let first = config.listen.first();
    let scheme = first.map_or(Scheme::HTTP, Listener::scheme);
    let mut socket = first.map_or((Ipv4Addr::LOCALHOST, 80).into(), |first| first.address);
    if socket.ip().is_unspecified() {
        socket.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    LocalAddress { scheme, socket }
}

/// The head as the data path would get it, sent by this client to this address.
pub async fn read(
    head: &[u8],
    client: IpAddr,
    local: &LocalAddress,
) -> Result<(Arc<ClientConnection>, Parts), Rejected> {
    let peer = SocketAddr::new(client, UNKNOWN_PORT);
    let connection = Arc::new(ClientConnection::new(
        peer,
        Some(local.socket),
        local.scheme.clone(),
        Weak::new(),
        &FairBudget::new(u64::MAX),
        Terms::default(),
    ));
    let (mut client, server) = tokio::io::duplex(head.len().max(MAX_RESPONSE_BYTES));
    let read = Mutex::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        connection.request_begins(&request.body().size_hint());
        let (head, _) = request.into_parts();
        read.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(head);
        std::future::ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    let stream = TokioIo::new(RequestStream::new(server, connection.clone()));
    let serving = async {
        // The connection knows that it could not be parsed.
        let _ = http1::Builder::new().half_close(true).serve_connection(stream, service).await;
    };
    let sending = async {
        let mut response = Vec::new();
        // Both ends are here, so neither fails. What does not fit into the pipe is still read at the other end.
        let _ = client.write_all(head).await;
        let _ = client.shutdown().await;
        let _ = client.read_to_end(&mut response).await;
        response
    };
    let ((), response) = tokio::join!(serving, sending);
    match (read.into_inner().unwrap_or_else(PoisonError::into_inner), connection.unparsable.get()) {
        (Some(head), _) => Ok((connection, head)),
        (None, unparsable) => {
            let status = response.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok()).unwrap_or_default();
            let message = unparsable::message(
                unparsable.map_or_else(|| unparsable::diagnose(head), |unparsable| unparsable.reason),
            );
            Err(Rejected {
                status: status.as_u16(),
                meant: status.as_u16(),
                code: RejectionCode::Unreadable.as_str(),
                message,
            })
        }
    }
}

/// A client on this machine would get a port from the system.
const UNKNOWN_PORT: u16 = 0;

/// More than any of our responses to such a head.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
