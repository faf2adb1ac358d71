//! Waiting for data without a buffer to read it into.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

/// The byte stream of a client, which tells when there is something to read.
pub trait Readable: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Ready when a read would not have to wait.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}
