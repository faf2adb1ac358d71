//! The pool of idle connections to one host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::wire::WireRequest;
use crate::proxy::body::request_body::RequestBody;
use crate::shared_socket;

/// Idle connections. The last one in is the first one out, so that the others can expire.
pub struct Pool {
    /// How long a connection may be idle.
    max_idle: Duration,
    idle: Mutex<Vec<Idle>>,
    /// Whether a task closes expired connections.
    is_cleaning: AtomicBool,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection, and what is known of it besides.
pub struct Connection {
    /// hyper's side.
    pub sender: SendRequest<RequestBody>,
    /// The socket below it.
    pub socket: Arc<TcpStream>,
    /// The current request.
    pub request: Arc<WireRequest>,
}

impl Connection {
    fn is_usable(&self, is_repeatable: bool) -> bool {
        let is_stale = if is_repeatable { shared_socket::is_known_stale } else { shared_socket::is_stale };
        self.sender.is_ready() && !is_stale(&self.socket)
    }
}

impl Pool {
    /// An empty pool.
    pub fn new(max_idle: Duration) -> Self {
        Self { max_idle, idle: Mutex::new(Vec::new()), is_cleaning: AtomicBool::new(false) }
    }

    /// A connection that has not expired, and that the other side has not closed.
    ///
    /// `is_repeatable`: whether the request can be retried if the other side is just closing. For others, the operating
    /// system is asked.
    pub fn take(&self, is_repeatable: bool) -> Option<Connection> {
        let oldest = Instant::now().checked_sub(self.max_idle);
        let mut idle = self.lock();
        while let Some(Idle { connection, since }) = idle.pop() {
            if oldest.is_none_or(|oldest| oldest < since) && connection.is_usable(is_repeatable) {
                return Some(connection);
            }
        }
        None
    }

    /// Returns a connection whose response was read to its end.
    pub fn put_back(self: &Arc<Self>, mut connection: Connection) {
        if connection.sender.is_ready() {
            return self.put(connection);
        }
        // hyper has not noticed yet that the response is over.
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            if connection.sender.ready().await.is_ok()
                && let Some(pool) = pool.upgrade()
            {
                pool.put(connection);
            }
        });
    }

    fn put(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.lock();
        if !self.is_cleaning.swap(true, Ordering::Relaxed) {
            tokio::spawn(close_expired(Arc::downgrade(self), self.max_idle));
        }
        if idle.len() >= MAX_IDLE {
            idle.remove(0);
        }
        idle.push(Idle { connection, since: Instant::now() });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes expired connections until the pool is empty.
async fn close_expired(pool: Weak<Pool>, max_idle: Duration) {
    loop {
        tokio::time::sleep(max_idle).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.lock();
        idle.retain(|idle| idle.since.elapsed() < max_idle && !idle.connection.sender.is_closed());
        if idle.is_empty() {
            // Under the lock: whoever puts the next connection back starts a new task.
            pool.is_cleaning.store(false, Ordering::Relaxed);
            return;
        }
    }
}

/// More idle connections than this are hardly needed again before they expire.
const MAX_IDLE: usize = 256;
