//! Why a body ended early.

use std::time::Duration;

use crate::proxy::downstream::client::min_rate::MIN_BYTES_PER_SECOND;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("no data for {} s", .0.as_secs_f32())]
    Idle(Duration),
    #[error("less than {MIN_BYTES_PER_SECOND} bytes a second")]
    TooSlow,
    #[error("it is truncated or not valid gzip")]
    Undecodable,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}
