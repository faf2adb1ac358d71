//! The admin listener: status, metrics and health for people, monitors and containers, orders of administrators; kept apart from the data
//! path.
//!
//! | request | answers |
//! |---|---|
//! | `GET /` | the status page |
//! | `GET /status.json` | the same for programs |
//! | `GET /metrics` | the same for monitors, in Prometheus' text form |
//! | `GET /livez` | 200 when the process serves |
//! | `GET /readyz` | 200 when at least one connector has a token and its company; says also when the file on disk can't be used |
//! | `GET /readyz/{connector}` | 200 when this connector has; otherwise 503 says why not |
//! | `POST /reload` | 200 when the configuration file is in service; otherwise 422 says why not |
//! | `POST /stop` | 202: requests under way are finished; asked again, they are cut off |

mod desk;
mod health;
mod metrics;
mod page;
mod report;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
pub use desk::{Desk, History, Order, Orders, Status};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::report::Report;
use crate::proxy::{self, BindError, Guard};

/// The admin listener in service. Dropping it ends it, once what it was asked is answered.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    connections: TaskTracker,
    ending: DropGuard,
}

impl Admin {
    pub fn start(address: SocketAddr, desk: Desk) -> Result<Self, BindError> {
        let listener = proxy::bind("admin", address, false)?;
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
    let guard = Arc::new(Guard::of_this_machine());
    loop {
        let accepted = tokio::select! {
            () = ending.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => drop(connections.spawn(converse(socket, desk.clone(), guard.clone(), ending.clone()))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn converse(socket: TcpStream, desk: Desk, guard: Arc<Guard>, ending: CancellationToken) {
    let service = service_fn(|request| answer(request, desk.clone(), guard.clone()));
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

async fn answer(
    request: Request<Incoming>,
    desk: Desk,
    guard: Arc<Guard>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, _) = request.into_parts();
    // A web page in a browser on this machine could stop us, or read what we tell.
    let Answer { status, kind, text } = match guard.check(&head) {
        Ok(()) => asked(&head, &desk).await,
        Err(reason) => (reason.status(), FOREIGN.to_owned()).into(),
    };
    let mut answer = Response::new(Full::from(text + "\n"));
    *answer.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, page::POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}

/// What somebody who asks is told.
struct Answer {
    status: StatusCode,
    /// Its media type.
    kind: &'static str,
    text: String,
}

impl From<(StatusCode, String)> for Answer {
    fn from((status, text): (StatusCode, String)) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", text }
    }
}

async fn asked(head: &Parts, desk: &Desk) -> Answer {
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/reload") => match desk.reload().await {
            Ok(said) => (StatusCode::OK, said).into(),
            Err(reason) => (StatusCode::UNPROCESSABLE_ENTITY, reason).into(),
        },
        (&Method::POST, "/stop") => {
            desk.stop().await;
            (StatusCode::ACCEPTED, "bcproxy is stopping: it finishes the requests under way.".to_owned()).into()
        }
        (_, "/reload" | "/stop") => (StatusCode::METHOD_NOT_ALLOWED, "This takes a POST.".to_owned()).into(),
        (&Method::GET | &Method::HEAD, path) => {
            let status = desk.status();
            match told(path, &status) {
                Some(answer) => answer,
                None => health::health(path, &status).await.into(),
            }
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.".to_owned()).into(),
    }
}

/// The status in one of its forms; `None` when the path asks for something else.
fn told(path: &str, status: &Status) -> Option<Answer> {
    let report = || Report::of(status);
    let (kind, text) = match path {
        "/" => ("text/html; charset=utf-8", page::page(&report())),
        "/style.css" => ("text/css; charset=utf-8", page::STYLE.to_owned()),
        // Neither can fail: they write numbers and strings to memory.
        "/status.json" => ("application/json", serde_json::to_string_pretty(&report()).unwrap_or_default()),
        "/metrics" => (metrics::CONTENT_TYPE, metrics::metrics(report()).unwrap_or_default()),
        _ => return None,
    };
    Some(Answer { status: StatusCode::OK, kind, text })
}

const FOREIGN: &str =
    "This is for programs on this machine that call it by its address, its name or as localhost, not for web pages.";

const HEAD_TIME: Duration = Duration::from_secs(30);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const LAST_ANSWERS: Duration = Duration::from_secs(1);
