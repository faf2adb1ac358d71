//! The open connections of the admin listener. The oldest idle one makes room for a new one, so that clients which
//! keep theirs open lock nobody out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

use crate::file_limit::FileShares;

/// The open connections, the oldest first.
#[derive(Debug)]
pub struct Connections {
    open: VecDeque<Connection>,
    limit: usize,
}

#[derive(Debug)]
struct Connection {
    task: AbortHandle,
    in_request: InRequest,
    origin: Origin,
}

/// Where a connection arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// At a loopback address.
    ThisMachine,
    /// At an address that others can reach, from this one.
    Elsewhere(IpAddr),
}

/// Whether a connection's request is being worked on. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct InRequest(Arc<AtomicBool>);

/// Ends the work on a request when dropped.
#[derive(Debug)]
pub struct RequestGuard(InRequest);

impl Connections {
    /// None yet, and at most 256; fewer under a low limit on open files.
    pub fn new() -> Self {
        Self::up_to(FileShares::of_this_process().admin)
    }

    fn up_to(limit: usize) -> Self {
        Self { open: VecDeque::new(), limit }
    }

    /// Whether there is a slot for a connection. At a limit, the oldest idle one of those that count is closed.
    /// `false`: none is idle.
    ///
    /// An address elsewhere has an eighth of all slots at most. All of them together have three quarters, so that they
    /// lock out no program of this machine.
    pub fn admit(&mut self, origin: Origin) -> bool {
        self.open.retain(|connection| !connection.task.is_finished());
        let is_elsewhere = |connection: &Connection| connection.origin != Origin::ThisMachine;
        let is_full = self.open.len() >= self.limit;
        match origin {
            Origin::ThisMachine => !is_full || self.evict(is_elsewhere) || self.evict(|_| true),
            Origin::Elsewhere(_) if self.count(|one| one.origin == origin) >= (self.limit / 8).max(1) => {
                self.evict(|one| one.origin == origin)
            }
            Origin::Elsewhere(_) if is_full || self.count(is_elsewhere) >= (self.limit / 4 * 3).max(1) => {
                self.evict(is_elsewhere)
            }
            Origin::Elsewhere(_) => true,
        }
    }

    /// Adds the newest connection.
    pub fn add(&mut self, task: AbortHandle, in_request: InRequest, origin: Origin) {
        self.open.push_back(Connection { task, in_request, origin });
    }

    fn count(&self, which: impl Fn(&Connection) -> bool) -> usize {
        self.open.iter().filter(|connection| which(connection)).count()
    }

    /// Closes the oldest idle one of these. `false`: there is none.
    fn evict(&mut self, which: impl Fn(&Connection) -> bool) -> bool {
        let is_idle = |connection: &Connection| !connection.in_request.0.load(Ordering::Relaxed);
        let oldest = self.open.iter().position(|connection| which(connection) && is_idle(connection));
        let closed = oldest.and_then(|at| self.open.remove(at));
        closed.inspect(|connection| connection.task.abort()).is_some()
    }
}

impl InRequest {
    /// Begins the work on a request.
    pub fn begin(&self) -> RequestGuard {
        self.0.store(true, Ordering::Relaxed);
        RequestGuard(self.clone())
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Origin = Origin::Elsewhere(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));

    fn other(last: u8) -> Origin {
        Origin::Elsewhere(IpAddr::from([10, 0, 1, last]))
    }

    fn add(connections: &mut Connections, origin: Origin) -> (bool, InRequest) {
        let in_request = InRequest::default();
        let is_admitted = connections.admit(origin);
        if is_admitted {
            let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
            connections.add(task, in_request.clone(), origin);
        }
        (is_admitted, in_request)
    }

    #[tokio::test]
    async fn no_address_elsewhere_takes_more_than_its_share_and_none_takes_those_of_this_machine() {
        let mut connections = Connections::up_to(16);
        let working: Vec<RequestGuard> = (0..2).map(|_| add(&mut connections, ONE).1.begin()).collect();
        assert!(!add(&mut connections, ONE).0, "both of its connections work on requests");
        drop(working);
        assert!(add(&mut connections, ONE).0, "its oldest idle one makes room");
        assert_eq!(connections.count(|one| one.origin == ONE), 2);

        for last in 0..20 {
            assert!(add(&mut connections, other(last)).0);
        }
        assert_eq!(connections.open.len(), 12);
        for _ in 0..16 {
            assert!(add(&mut connections, Origin::ThisMachine).0);
        }
        assert_eq!(
            connections.count(|one| one.origin == Origin::ThisMachine),
            16,
            "programs of this machine come first"
        );
        assert!(!add(&mut connections, ONE).0, "and nobody elsewhere closes their connections");
        assert!(add(&mut connections, Origin::ThisMachine).0);
        assert_eq!(connections.open.len(), 16);
    }
}
