//! Why a body ended early.

use std::time::Duration;

use super::spool::SpoolError;
use crate::proxy::budgets::fair_budget::Exhausted;
use crate::proxy::downstream::client::min_rate::MIN_BYTES_PER_SECOND;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("no data for {} s", .0.as_secs_f32())]
    Idle(Duration),
    #[error("less than {MIN_BYTES_PER_SECOND} bytes a second")]
    TooSlow,
    /// It has more than this many bytes.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("bcproxy's memory for clients is full, and {0}")]
    NoMemory(#[from] Exhausted),
    #[error(transparent)]
    NoDisk(#[from] SpoolError),
    /// It could not be read back from its file.
    #[error("its temporary file can't be read: {0}")]
    Unreadable(std::io::Error),
    #[error("it is truncated or not valid gzip")]
    Undecodable,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}
