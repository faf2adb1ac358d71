//! The admin listener: health for monitors and containers, orders of administrators; kept apart from the data path.
//!
//! | request | answers |
//! |---|---|
//! | `GET /livez` | 200 when the process serves |
//! | `GET /readyz` | 200 when at least one connector has a token and its company; says also when the file on disk can't be used |
//! | `GET /readyz/{connector}` | 200 when this connector has; otherwise 503 says why not |
//! | `POST /reload` | 200 when the configuration file is in service; otherwise 422 says why not |
//! | `POST /stop` | 202: requests under way are finished; asked again, they are cut off |

mod desk;
mod health;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
pub use desk::{Desk, Order, Orders, Status};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::proxy::{self, BindError};

/// The admin listener in service. Dropping it ends it, once what it was asked is answered.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    connections: TaskTracker,
    ending: DropGuard,
}

impl Admin {
    pub async fn start(address: SocketAddr, desk: Desk) -> Result<Self, BindError> {
        let listener = proxy::bind("admin", address).await?;
        let address = listener.local_addr().unwrap_or(address);
        let (connections, ending) = (TaskTracker::new(), CancellationToken::new());
        tokio::spawn(accept(listener, desk, connections.clone(), ending.clone()));
        Ok(Self { address, connections, ending: ending.drop_guard() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it and waits, but not long, for those who are being answered.
    pub async fn close(self) {
        drop(self.ending);
        self.connections.close();
        let _ = tokio::time::timeout(LAST_ANSWERS, self.connections.wait()).await;
    }
}

async fn accept(listener: TcpListener, desk: Desk, connections: TaskTracker, ending: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = ending.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => drop(connections.spawn(converse(socket, desk.clone(), ending.clone()))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn converse(socket: TcpStream, desk: Desk, ending: CancellationToken) {
    let service = service_fn(|request| answer(request, desk.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    // How it ends is its client's business.
    tokio::select! {
        _ = &mut connection => {}
        () = ending.cancelled() => {
            Pin::as_mut(&mut connection).graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(request: Request<Incoming>, desk: Desk) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match (request.method(), request.uri().path()) {
        _ if !is_trusted(request.headers()) => (StatusCode::FORBIDDEN, FOREIGN.to_owned()),
        (&Method::POST, "/reload") => match desk.reload().await {
            Ok(said) => (StatusCode::OK, said),
            Err(reason) => (StatusCode::UNPROCESSABLE_ENTITY, reason),
        },
        (&Method::POST, "/stop") => {
            desk.stop().await;
            (StatusCode::ACCEPTED, "bcproxy is stopping: it finishes the requests under way.".to_owned())
        }
        (_, "/reload" | "/stop") => (StatusCode::METHOD_NOT_ALLOWED, "This takes a POST.".to_owned()),
        (&Method::GET | &Method::HEAD, path) => health::health(path, &desk.status()).await,
        _ => (StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.".to_owned()),
    };
    let mut answer = Response::new(Full::from(text + "\n"));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Whether a program asks, and not a web page in a browser on this machine: one could stop us, or read what we tell.
///
/// A page's requests bear its `Origin`, or say in `Sec-Fetch-Site` that they come from elsewhere; those to a name that somebody has pointed to
/// this machine bear that name as `Host`.
fn is_trusted(headers: &HeaderMap) -> bool {
    let is_ours = |host: &HeaderValue| {
        let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        authority.is_some_and(|authority| {
            let name = authority.host().trim_start_matches('[').trim_end_matches(']');
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
        })
    };
    let from_elsewhere = |site: &HeaderValue| !matches!(site.as_bytes(), b"none" | b"same-origin");
    !headers.contains_key(ORIGIN)
        && !headers.get("sec-fetch-site").is_some_and(from_elsewhere)
        && headers.get_all(HOST).iter().all(is_ours)
}

const FOREIGN: &str =
    "This is for programs on this machine that call it by its address or as localhost, not for web pages.";

const HEAD_TIME: Duration = Duration::from_secs(30);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const LAST_ANSWERS: Duration = Duration::from_secs(1);
