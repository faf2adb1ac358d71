//! The client of one host.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use tokio::time::Instant;
use tower::ServiceExt;

use super::body::UpstreamBody;
use super::breaker::Breaker;
use super::pool::{Connection, Pool};
use super::wire::Wire;
use crate::business_central::lookup::LookupError;
use crate::outbound::{
    self, ConnectError, HttpsUrl, Origin, OutboundConnector, OutboundError, OutboundProxy, Unreachable,
};
use crate::proxy::body::request_body::RequestBody;
use crate::proxy::methods::only_reads;

/// An authority as `Host` names it.
pub fn host(authority: &str) -> HeaderValue {
    HeaderValue::from_str(authority).unwrap_or(HeaderValue::from_static(""))
}

/// A client of one host. Clones share its connections.
#[derive(Clone)]
pub struct Upstream(Arc<Shared>);

struct Shared {
    connector: OutboundConnector,
    breaker: Breaker,
    /// Where to connect.
    origin: Origin,
    /// The origin's authority, as `Host` names it.
    host: HeaderValue,
    pool: Arc<Pool>,
}

/// A request that was not answered.
#[derive(Debug)]
pub struct SendError {
    /// Why.
    pub reason: SendFailure,
    /// The request, if nothing of it was touched.
    pub unsent: Option<Box<Request<RequestBody>>>,
}

/// Why a request was not answered.
#[derive(Debug)]
pub enum SendFailure {
    /// No connection could be made.
    Unreachable(Unreachable),
    /// The connection ended before any of the request was written: it was not carried out.
    Unsent(hyper::Error),
    /// The connection ended later: whether the request was carried out is not known.
    Broken(hyper::Error),
    /// There was a response, but none for a client; a phrase says what it does instead.
    Unusable(&'static str),
}

impl Upstream {
    /// `connect`: the limit for name look-up, TCP and TLS together; `pool_idle`: how long an idle connection is kept.
    pub fn new(
        base_url: &HttpsUrl,
        ca_file: Option<&Path>,
        proxy: &OutboundProxy,
        connect: Duration,
        pool_idle: Duration,
    ) -> Result<Self, OutboundError> {
        Ok(Self(Arc::new(Shared {
            connector: OutboundConnector::new(ca_file, proxy, connect)?,
            breaker: Breaker::default(),
            origin: base_url.origin.clone(),
            host: host(base_url.authority()),
            pool: Arc::new(Pool::new(pool_idle)),
        })))
    }

    /// Whether the two share their connections.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Why the circuit breaker is open, if it is.
    pub fn open_circuit(&self) -> Option<Unreachable> {
        self.0.breaker.open_because()
    }

    /// A look-up on other connections to the same host: not begun while the circuit is open, and counted like a
    /// connection of ours.
    pub async fn guarded<T>(&self, look_up: impl Future<Output = Result<T, LookupError>>) -> Result<T, LookupError> {
        let breaker = &self.0.breaker;
        breaker.check(Instant::now())?;
        let result = look_up.await;
        match &result {
            Err(LookupError::Unreachable(unreachable)) => breaker.record_failure(unreachable, Instant::now()),
            Err(LookupError::TimedOut { .. }) => {}
            _ => breaker.record_success(),
        }
        result
    }

    /// The host, as `Host` names it.
    pub fn host(&self) -> HeaderValue {
        self.0.host.clone()
    }

    /// Sends a request, whose URI is path and query only, and waits for the head of the response.
    #[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice")]
    pub fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<UpstreamBody>, SendError>> {
        async move {
            loop {
                let (mut connection, is_new) = match self.0.pool.take(only_reads(request.method())) {
                    Some(connection) => (connection, false),
                    // Boxed because it is rare: otherwise every request's future would be larger by it.
                    None => match Box::pin(self.connect()).await {
                        Ok(connection) => (connection, true),
                        Err(reason) => return Err(SendError { reason, unsent: Some(Box::new(request)) }),
                    },
                };
                connection.request.begins(request.headers());
                let mut error = match connection.sender.try_send_request(request).await {
                    // Nobody asked for it, and the bytes that follow are not HTTP: the connection is dropped.
                    Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                        return Err(SendError { reason: SendFailure::Unusable(SWITCHES), unsent: None });
                    }
                    Ok(response) => return Ok(response.map(|body| UpstreamBody::new(body, connection, &self.0.pool))),
                    Err(error) => error,
                };
                request = match error.take_message() {
                    // It ended while it was idle: try the next one.
                    Some(unsent) if !is_new => unsent,
                    unsent => {
                        let reason = match (connection.request.is_written(), error.into_error()) {
                            (true, error) if error.is_parse_too_large() => SendFailure::Unusable(TOO_LARGE),
                            (true, error) => SendFailure::Broken(error),
                            (false, error) => SendFailure::Unsent(error),
                        };
                        return Err(SendError { reason, unsent: unsent.map(Box::new) });
                    }
                };
            }
        }
    }

    async fn connect(&self) -> Result<Connection, SendFailure> {
        let shared = &self.0;
        shared.breaker.check(Instant::now()).map_err(SendFailure::Unreachable)?;
        let stream = shared.connector.clone().oneshot(shared.origin.uri()).await.map_err(|error: ConnectError| {
            let unreachable = Unreachable::business_central(shared.origin.authority(), error.as_ref());
            shared.breaker.record_failure(&unreachable, Instant::now());
            SendFailure::Unreachable(unreachable)
        })?;
        shared.breaker.record_success();
        let socket = outbound::tcp_socket(&stream);
        let (wire, request) = Wire::new(stream, Some(socket.clone()));
        let mut http = http1::Builder::new();
        let (sender, connection) = http
            .max_buf_size(MAX_READ_BYTES)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD_BYTES)
            .handshake(wire)
            .await
            .map_err(SendFailure::Unsent)?;
        // Its requests are told how it ends.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { sender, socket, request })
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("origin", &self.0.origin).finish_non_exhaustive()
    }
}

const SWITCHES: &str = "switches protocols, which was not asked for";

/// The most header lines of a response. Real ones have twenty; a gateway that repeats some has a hundred and fifty.
const MAX_HEADERS: usize = 256;

/// The size of a head up to which it certainly passes.
const MAX_HEAD_BYTES: usize = 128 * 1024;

const TOO_LARGE: &str = "has a head that is too large (256 lines and 128 KiB at most)";

/// The most bytes read at once. hyper's default of 408 KiB costs no less CPU. In a burst of large responses, each would
/// keep the small ones waiting for longer, and a slow reader would hold more.
const MAX_READ_BYTES: usize = 256 * 1024;
