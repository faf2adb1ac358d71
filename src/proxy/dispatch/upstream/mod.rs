//! The pooled client towards Business Central. Of every failure it knows whether any of the request went out.

mod body;
mod breaker;
mod wire;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

pub use body::{HeldUntilEnd, UpstreamBody};
use breaker::Breaker;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderValue;
use hyper::{Request, Response, Uri};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::ServiceExt;
use wire::{Touched, Wire};

use crate::outbound::{self, ConnectError, HttpsUrl, OutboundConnector, OutboundError, OutboundProxy, Unreachable};
use crate::proxy::body::request_body::RequestBody;
use crate::shared_socket;

/// An authority as requests name it in `Host`.
pub fn host(authority: &str) -> HeaderValue {
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    HeaderValue::from_str(host).unwrap_or(HeaderValue::from_static(""))
}

/// A client of one host; clones share its connections.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

struct Shared {
    connector: OutboundConnector,
    breaker: Breaker,
    /// Where to connect.
    address: Uri,
    /// For messages: host, and port if it is not 443.
    authority: String,
    pool_idle: Duration,
    /// The last one in is the first one out: the others may grow old.
    idle: Mutex<Vec<Idle>>,
    /// Whether somebody sees to it that none gets too old.
    is_tended: AtomicBool,
}

/// A connection on which nothing is under way.
struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection, and what is known of it besides.
struct Connection {
    sender: SendRequest<RequestBody>,
    socket: Arc<TcpStream>,
    touched: Touched,
}

/// A request without an answer.
#[derive(Debug)]
pub struct Unanswered {
    pub reason: Reason,
    /// The request, if nothing of it was touched.
    pub unsent: Option<Box<Request<RequestBody>>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Reason {
    /// There was no connection to be had.
    Unreachable(Unreachable),
    /// The connection ended before any of the request was written: it was not carried out.
    Unsent(hyper::Error),
    /// The connection ended later: what became of the request is not known.
    Broken(hyper::Error),
}

impl Upstream {
    /// `connect`: how long name, TCP and TLS may take together; `pool_idle`: how long an unused connection is kept.
    pub fn new(
        base_url: &HttpsUrl,
        ca_file: Option<&Path>,
        proxy: &OutboundProxy,
        connect: Duration,
        pool_idle: Duration,
    ) -> Result<Self, OutboundError> {
        let authority = base_url.authority().to_owned();
        // An HttpsUrl's authority is one of an address.
        let address = Uri::builder().scheme("https").authority(authority.as_str()).path_and_query("/").build();
        Ok(Self(Arc::new(Shared {
            connector: OutboundConnector::new(ca_file, proxy, connect)?,
            breaker: Breaker::default(),
            address: address.unwrap_or_default(),
            authority,
            pool_idle,
            idle: Mutex::new(Vec::new()),
            is_tended: AtomicBool::new(false),
        })))
    }

    /// Whether the two share their connections.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Why nobody tries to connect at the moment.
    pub fn is_cut_off_because(&self) -> Option<Unreachable> {
        self.0.breaker.is_open_because()
    }

    /// The host, as requests name it in `Host`.
    pub fn host(&self) -> HeaderValue {
        host(&self.0.authority)
    }

    /// Sends a request, whose address is path and query only, and waits for the answer's head.
    pub async fn send(&self, mut request: Request<RequestBody>) -> Result<Response<UpstreamBody>, Unanswered> {
        loop {
            let (mut connection, is_new) = match self.0.take_idle() {
                Some(connection) => (connection, false),
                // On the heap, as all that is rare: each request would carry the room for it along.
                None => match Box::pin(self.connect()).await {
                    Ok(connection) => (connection, true),
                    Err(reason) => return Err(Unanswered { reason, unsent: Some(Box::new(request)) }),
                },
            };
            connection.touched.forget();
            let mut error = match connection.sender.try_send_request(request).await {
                Ok(answer) => return Ok(answer.map(|body| UpstreamBody::new(body, connection, &self.0))),
                Err(error) => error,
            };
            request = match error.take_message() {
                // It ended while it was idle: the next one may be better.
                Some(unsent) if !is_new => unsent,
                unsent => {
                    let reason = match connection.touched.is_touched() {
                        true => Reason::Broken(error.into_error()),
                        false => Reason::Unsent(error.into_error()),
                    };
                    return Err(Unanswered { reason, unsent: unsent.map(Box::new) });
                }
            };
        }
    }

    async fn connect(&self) -> Result<Connection, Reason> {
        let shared = &self.0;
        shared.breaker.allows(Instant::now()).map_err(Reason::Unreachable)?;
        let stream =
            shared.connector.clone().oneshot(shared.address.clone()).await.map_err(|error: ConnectError| {
                let unreachable = Unreachable::business_central(&shared.authority, error.as_ref());
                shared.breaker.failed(&unreachable, Instant::now());
                Reason::Unreachable(unreachable)
            })?;
        shared.breaker.succeeded();
        let socket = outbound::tcp_socket(&stream);
        let (wire, touched) = Wire::new(stream);
        let mut http = http1::Builder::new();
        let (sender, connection) = http.max_buf_size(LARGEST_PIECE).handshake(wire).await.map_err(Reason::Unsent)?;
        // How it ends, its requests are told.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { sender, socket, touched })
    }
}

impl Connection {
    fn is_usable(&self) -> bool {
        self.sender.is_ready() && !shared_socket::is_stale(&self.socket)
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<Connection> {
        let oldest = Instant::now().checked_sub(self.pool_idle);
        let mut idle = self.idle();
        while let Some(Idle { connection, since }) = idle.pop() {
            if oldest.is_none_or(|oldest| oldest < since) && connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer was read to its end.
    fn put_back(self: &Arc<Self>, mut connection: Connection) {
        if connection.sender.is_ready() {
            return self.keep(connection);
        }
        // hyper has not seen yet that it is done.
        let shared = Arc::downgrade(self);
        tokio::spawn(async move {
            if connection.sender.ready().await.is_ok()
                && let Some(shared) = shared.upgrade()
            {
                shared.keep(connection);
            }
        });
    }

    fn keep(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.idle();
        if !self.is_tended.swap(true, Ordering::Relaxed) {
            tokio::spawn(close_unused(Arc::downgrade(self), self.pool_idle));
        }
        if idle.len() >= MOST_IDLE {
            idle.remove(0);
        }
        idle.push(Idle { connection, since: Instant::now() });
    }
}

/// Closes connections nobody has used for so long, until there is none.
async fn close_unused(shared: Weak<Shared>, pool_idle: Duration) {
    loop {
        tokio::time::sleep(pool_idle).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut idle = shared.idle();
        idle.retain(|idle| idle.since.elapsed() < pool_idle && !idle.connection.sender.is_closed());
        if idle.is_empty() {
            // Under the lock: whoever brings the next one finds that there is nobody.
            shared.is_tended.store(false, Ordering::Relaxed);
            return;
        }
    }
}

/// More than so many at once are hardly needed again before they grow old.
const MOST_IDLE: usize = 256;

/// How much is read at once at most, in bytes; an answer's head has to fit in, too. hyper's own 408 KiB are no cheaper, but of a burst of large answers
/// each keeps the small ones waiting for longer, and a client that reads slowly holds more.
const LARGEST_PIECE: usize = 256 * 1024;

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("authority", &self.0.authority).finish_non_exhaustive()
    }
}
