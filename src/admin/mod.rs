//! The admin listener: health for monitors and containers, kept apart from the data path.
//!
//! | path | answers 200 when |
//! |---|---|
//! | `/livez` | the process serves |
//! | `/readyz` | at least one connector has a token and its company |
//! | `/readyz/{connector}` | this connector has; otherwise 503 says why not |

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::proxy::{self, BindError, Destination};

/// The admin listener in service. Dropping it ends it.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Admin {
    pub async fn start(address: SocketAddr, connectors: Vec<Arc<Destination>>) -> Result<Self, BindError> {
        let listener = proxy::bind("admin", address).await?;
        let address = listener.local_addr().unwrap_or(address);
        let task = tokio::spawn(accept(listener, connectors.into()));
        Ok(Self { address, _task: AbortOnDropHandle::new(task) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, connectors: Arc<[Arc<Destination>]>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let connectors = connectors.clone();
                let service = service_fn(move |request| answer(request, connectors.clone()));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIME)
                    .serve_connection(TokioIo::new(socket), service);
                connections.spawn(async move { connection.await.is_ok() });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    connectors: Arc<[Arc<Destination>]>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match request.method() {
        &Method::GET | &Method::HEAD => health(request.uri().path(), &connectors).await,
        _ => (StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.".to_owned()),
    };
    let mut answer = Response::new(Full::from(text + "\n"));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

async fn health(path: &str, connectors: &[Arc<Destination>]) -> (StatusCode, String) {
    match path {
        "/livez" => return (StatusCode::OK, "live".to_owned()),
        "/readyz" => return any_ready(connectors).await,
        _ => {}
    }
    let Some(name) = path.strip_prefix("/readyz/").map(|name| percent_decode_str(name).decode_utf8_lossy()) else {
        return (StatusCode::NOT_FOUND, "There is /livez, /readyz and /readyz/{connector}.".to_owned());
    };
    match connectors.iter().find(|destination| destination.connector.name == name) {
        Some(destination) => match ready(destination).await {
            Ok(text) => (StatusCode::OK, text),
            Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
        },
        None => {
            let names: Vec<&str> = connectors.iter().map(|destination| destination.connector.name.as_str()).collect();
            (StatusCode::NOT_FOUND, format!("There is no such connector; there are: {}.", names.join(", ")))
        }
    }
}

/// The first connector that is ready decides; only if none is, all are waited for.
async fn any_ready(connectors: &[Arc<Destination>]) -> (StatusCode, String) {
    let mut asked: FuturesUnordered<_> = connectors.iter().map(|destination| ready(destination)).collect();
    let mut reasons = Vec::new();
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(text) => return (StatusCode::OK, text),
            Err(reason) => reasons.push(reason),
        }
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n"))
}

async fn ready(destination: &Destination) -> Result<String, String> {
    let name = &destination.connector.name;
    match tokio::time::timeout(PATIENCE, destination.ready()).await {
        Ok(Ok(ready)) => {
            let company = match ready.company {
                Some(company) => format!("company {} ({})", company.name, company.id),
                None => "company named by the client".to_owned(),
            };
            Ok(format!("{name}: ready, token {} s old, {company}", ready.token_age.as_secs()))
        }
        Ok(Err(refusal)) => Err(format!("{name}: not ready. {}", refusal.message)),
        Err(_) => Err(format!(
            "{name}: not ready. Still waiting for Entra or Business Central after {} s.",
            PATIENCE.as_secs()
        )),
    }
}

/// Monitors give up after a few seconds themselves.
const PATIENCE: Duration = Duration::from_secs(4);

const HEAD_TIME: Duration = Duration::from_secs(30);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
