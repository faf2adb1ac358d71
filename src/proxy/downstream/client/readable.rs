//! Waiting for data without a buffer to read it into.

use std::io;
use std::task::{Context, Poll};

/// A stream that tells when there is something to read.
pub trait Readable {
    /// Ready when a read would not have to wait.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}
