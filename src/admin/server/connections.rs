//! The open connections of the admin listener. The oldest idle one makes room for a new one, so that clients which
//! keep theirs open lock nobody out.

use std::collections::VecDeque;
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
        Self { open: VecDeque::new(), limit: FileShares::of_this_process().admin }
    }

    /// Closes the oldest idle connection if the limit is reached. `false`: none is idle, so there is no room.
    pub fn evict_if_full(&mut self) -> bool {
        if self.open.len() < self.limit {
            return true;
        }
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() < self.limit {
            return true;
        }
        let idle = self.open.iter().position(|connection| !connection.in_request.0.load(Ordering::Relaxed));
        let closed = idle.and_then(|at| self.open.remove(at));
        closed.inspect(|connection| connection.task.abort()).is_some()
    }

    /// Adds the newest connection.
    pub fn add(&mut self, task: AbortHandle, in_request: InRequest) {
        self.open.push_back(Connection { task, in_request });
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
