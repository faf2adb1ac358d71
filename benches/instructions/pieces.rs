//! Bodies that are sent in pieces.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::Result;
use crate::idle::{Idle, Naps};

/// A body. Each piece waits until the proxy has read the one before and sleeps.
///
/// A large body sent at once is read in pieces whose number depends on how busy the machine is.
pub struct Pieces {
    rest: Bytes,
    idle: Idle,
    /// What the next piece waits for, and the proxy's state then.
    wait: Pin<Box<dyn Future<Output = Result<Naps>> + Send>>,
    /// Otherwise it is chunked.
    has_length: bool,
}

impl Pieces {
    pub fn new(body: Bytes, idle: Idle) -> Self {
        let first = idle.clone();
        Self { rest: body, idle, wait: Box::pin(async move { first.wait().await }), has_length: true }
    }

    pub fn chunked(body: Bytes, idle: Idle) -> Self {
        Self { has_length: false, ..Self::new(body, idle) }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let naps = ready!(self.wait.as_mut().poll(context))?;
        let idle = self.idle.clone();
        self.wait = Box::pin(async move { idle.wait_after(naps).await });
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.has_length { SizeHint::with_exact(self.rest.len() as u64) } else { SizeHint::default() }
    }
}

/// Less than a packet of the loopback interface takes: a piece arrives at once.
const PIECE_BYTES: usize = 32 * 1024;
