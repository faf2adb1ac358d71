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

<<<<<<< HEAD:src/admin/server/listener.rs
=======
async fn respond(
    request: Request<Incoming>,
    control: Control,
    guard: Arc<Guard>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, _) = request.into_parts();
    // Without this check, a web page in a browser on this machine could stop bcproxy or read its status.
    let (status, content_type, text) = match guard.check(&head) {
        Ok(()) => dispatch(&head, &control).await,
        Err(reason) => plain((reason.status(), NOT_ALLOWED.to_owned())),
    };
    let mut response = Response::new(Full::from(text + "\n"));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Status, content type and text of a response.
type TextResponse = (StatusCode, &'static str, String);

fn plain((status, text): (StatusCode, String)) -> TextResponse {
    (status, "text/plain; charset=utf-8", text)
}

async fn dispatch(head: &Parts, control: &Control) -> TextResponse {
    plain(match (&head.method, head.uri.path()) {
        (&Method::POST, "/reload") => match control.reload().await {
            Ok(outcome) => (StatusCode::OK, outcome),
            Err(reason) => (StatusCode::UNPROCESSABLE_ENTITY, reason),
        },
        (&Method::POST, "/stop") => {
            control.stop().await;
            (StatusCode::ACCEPTED, health::STOPPING.to_owned())
        }
        (_, "/reload" | "/stop") => (StatusCode::METHOD_NOT_ALLOWED, "Use POST for this path.".to_owned()),
        (&Method::GET | &Method::HEAD, path) => {
            let status = control.status();
            match report(path, &status, control) {
                Some(response) => return response,
                None => health::health(path, head.uri.query(), &status, control).await,
            }
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, "Use GET or HEAD for this path.".to_owned()),
    })
}

/// The status in the form that `path` names; `None` for other paths.
fn report(path: &str, status: &Status, control: &Control) -> Option<TextResponse> {
    let report = || Report::of(status, control.liveness().stalled(), control.history());
    let (content_type, text) = match path {
        "/" => ("text/html; charset=utf-8", page::page(&report())),
        "/style.css" => ("text/css; charset=utf-8", page::STYLE.to_owned()),
        // Neither can fail: they write numbers and strings to memory.
        "/status.json" => ("application/json", serde_json::to_string_pretty(&report()).unwrap_or_default()),
        "/metrics" => (metrics::CONTENT_TYPE, metrics::metrics(report()).unwrap_or_default()),
        _ => return None,
    };
    Some((StatusCode::OK, content_type, text))
}

const NOT_ALLOWED: &str = "The admin listener accepts requests from software on this machine, not from web pages. \
     Use its address, the machine's name or localhost.";

>>>>>>> 6b32da3 (What the status page will show: the last hour, the clients, the steps of the set-up, what to do about problems):src/admin/server.rs
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
