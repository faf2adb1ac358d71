//! Why a call to the shared store got no reply.

use std::time::Duration;

use redis::RedisError;

/// Why a call got no reply.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is down; nothing was sent.
    #[error("the shared store is down")]
    Down,
    /// It did not reply in time. It may have done what the call says.
    #[error("no reply within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It rejects the call, or the connection broke.
    #[error("{0}")]
    Failed(#[from] RedisError),
    /// The argument or the reply is not what the script defines.
    #[error("a reply that can't be read: {0}")]
    Reply(#[from] serde_json::Error),
}
