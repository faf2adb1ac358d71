//! The limit on client connections, in all and per client.
//!
//! Every connection takes a file descriptor and some memory. A client that never closes its connections must not take
//! the last one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::rejected_connections::ConnectionRejection;
use crate::config::MaxConnections;
use crate::file_limit::FileShares;

/// The connection limit. Clones share it.
#[derive(Debug, Clone)]
pub struct ConnectionLimit(Arc<Mutex<Connections>>);

#[derive(Debug)]
struct Connections {
    limits: MaxConnections,
    /// What the process's limit on open files leaves for clients.
    files: usize,
    total: usize,
    by_client: HashMap<IpAddr, usize>,
    /// When reaching the limit was last logged.
    last_logged: Option<Instant>,
}

/// A connection's slot, released when this is dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    connection_limit: ConnectionLimit,
    /// `None` until a load balancer says who it is.
    client: Option<IpAddr>,
}

/// The limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitExceeded {
    pub why: LimitReached,
    /// Whether this was not logged for a while.
    pub should_log: bool,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// This client's.
    #[error(
        "this client has {0} connections open, the limit per client. Close unused ones, or raise `per_client` of \
         `max_connections` in proxy.yaml"
    )]
    Client(usize),
    #[error(
        "{0} connections are open, the limit for all clients. Find out which clients hold them, or raise `total` of \
         `max_connections` in proxy.yaml"
    )]
    All(usize),
    #[error(
        "{0} connections are open, as many as bcproxy's limit on open files allows. Raise it (systemd: LimitNOFILE=, \
         otherwise: ulimit -n)"
    )]
    Files(usize),
}

impl LimitReached {
    /// The reason under which the connection is counted.
    pub fn rejection(self) -> ConnectionRejection {
        match self {
            Self::Client(_) => ConnectionRejection::ClientLimit,
            Self::All(_) => ConnectionRejection::TotalLimit,
            Self::Files(_) => ConnectionRejection::FileLimit,
        }
    }
}

impl ConnectionLimit {
    /// Nobody is connected yet.
    pub fn new(limits: MaxConnections) -> Self {
        let files = FileShares::of_this_process().clients;
        warn_if_above(limits, files);
        Self(Arc::new(Mutex::new(Connections {
            limits,
            files,
            total: 0,
            by_client: HashMap::new(),
            last_logged: None,
        })))
    }

    /// Changes the limits; connections stay open.
    pub fn limit(&self, limits: MaxConnections) {
        let mut connections = self.lock();
        connections.limits = limits;
        warn_if_above(limits, connections.files);
    }

    /// Open connections, and the limit.
    pub fn connections(&self) -> (usize, usize) {
        let connections = self.lock();
        (connections.total, connections.limits.total.min(connections.files))
    }

    /// A slot for a connection of this client.
    pub fn take(&self, client: IpAddr) -> Result<ConnectionSlot, LimitExceeded> {
        let mut slot = self.take_for_balancer()?;
        slot.assign(client)?;
        Ok(slot)
    }

    /// A slot for a load balancer's connection, before its client is known.
    pub fn take_for_balancer(&self) -> Result<ConnectionSlot, LimitExceeded> {
        let mut connections = self.lock();
        let (total, files) = (connections.limits.total, connections.files);
        match () {
            () if connections.total >= total => Err(connections.reject(LimitReached::All(total))),
            () if connections.total >= files => Err(connections.reject(LimitReached::Files(files))),
            () => {
                connections.total += 1;
                Ok(ConnectionSlot { connection_limit: self.clone(), client: None })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn reject(&mut self, why: LimitReached) -> LimitExceeded {
        let should_log = self.last_logged.is_none_or(|last_logged| last_logged.elapsed() > LOG_INTERVAL);
        if should_log {
            self.last_logged = Some(Instant::now());
        }
        LimitExceeded { why, should_log }
    }
}

impl ConnectionSlot {
    /// Counts the connection as this client's.
    pub fn assign(&mut self, client: IpAddr) -> Result<(), LimitExceeded> {
        let mut connections = self.connection_limit.lock();
        let (per_client, files) = (connections.limits.per_client, connections.files);
        let own = connections.by_client.get(&client).copied().unwrap_or(0);
        match () {
            () if own >= per_client => Err(connections.reject(LimitReached::Client(per_client))),
            // No client takes all that a low limit on files leaves.
            () if own >= files / 4 * 3 => Err(connections.reject(LimitReached::Files(own))),
            () => {
                connections.by_client.insert(client, own + 1);
                self.client = Some(client);
                Ok(())
            }
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut connections = self.connection_limit.lock();
        connections.total -= 1;
        if let Some(client) = self.client
            && let Entry::Occupied(mut own) = connections.by_client.entry(client)
        {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

fn warn_if_above(limits: MaxConnections, files: usize) {
    if limits.total > files {
        tracing::warn!(
            "the limit on open files leaves {files} client connections, fewer than the {} of `max_connections`. Raise the \
             limit (systemd: LimitNOFILE=, otherwise: ulimit -n) or lower `max_connections`",
            limits.total
        );
    }
}

/// Minimum interval between log lines.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_left_is_free_again_and_nobody_takes_all() {
        let connection_limit = ConnectionLimit::new(MaxConnections { total: 3, per_client: 2 });
        let [one, other, third] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let first = connection_limit.take(one).unwrap();
        let _second = connection_limit.take(one).unwrap();
        assert_eq!(
            connection_limit.take(one).unwrap_err(),
            LimitExceeded { why: LimitReached::Client(2), should_log: true }
        );
        let _third = connection_limit.take(other).unwrap();
        assert_eq!(
            connection_limit.take(third).unwrap_err(),
            LimitExceeded { why: LimitReached::All(3), should_log: false }
        );
        drop(first);
        let _again = connection_limit.take(third).unwrap();
        connection_limit.limit(MaxConnections { total: 10, per_client: 3 });
        let _more = [connection_limit.take(one).unwrap(), connection_limit.take(one).unwrap()];
        assert_eq!(connection_limit.take(one).unwrap_err().why, LimitReached::Client(3));
        drop(_more);
        assert_eq!(connection_limit.lock().by_client.len(), 3);
    }
}
