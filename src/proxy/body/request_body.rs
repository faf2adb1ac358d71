//! A body on its way to Business Central.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::client_body::ClientBody;
use super::error::BodyError;
use super::min_rate_body::MinRateBody;

/// A body on its way to Business Central.
#[derive(Debug)]
pub enum RequestBody {
    /// All of it is in memory, so the request can be retried.
    Buffered { bytes: Bytes, _permit: Option<Arc<OwnedSemaphorePermit>> },
    /// It streams: what was read ahead, then the rest.
    Streaming { ahead: Bytes, rest: MinRateBody<ClientBody>, progress: Arc<Progress> },
}

impl RequestBody {
    /// A body in memory; `permit` is its share of a memory budget.
    pub fn buffered(bytes: Bytes, permit: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        Self::Buffered { bytes, _permit: permit }
    }

    /// A body of which only the beginning is in memory.
    pub fn streaming(ahead: Bytes, rest: MinRateBody<ClientBody>) -> Self {
        Self::Streaming { ahead, rest, progress: Arc::default() }
    }

    /// The same body once more, if all of it is in memory.
    pub fn replay(&self) -> Option<Self> {
        match self {
            Self::Buffered { bytes, _permit } => Some(Self::buffered(bytes.clone(), _permit.clone())),
            Self::Streaming { .. } => None,
        }
    }

    /// All of it, if it is in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Buffered { bytes, .. } => Some(bytes),
            Self::Streaming { .. } => None,
        }
    }

    /// How far a streaming body got.
    pub fn progress(&self) -> Option<Arc<Progress>> {
        match self {
            Self::Buffered { .. } => None,
            Self::Streaming { progress, .. } => Some(progress.clone()),
        }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::buffered(Bytes::new(), None)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Buffered { bytes, .. } => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Streaming { ahead, rest, progress } => {
                if !ahead.is_empty() {
                    progress.advance();
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(ahead)))));
                }
                loop {
                    let piece = ready!(Pin::new(&mut *rest).poll_frame(context));
                    progress.advance();
                    let frame = match piece {
                        Some(Ok(frame)) => frame,
                        Some(Err(error)) => {
                            progress.fail();
                            return Poll::Ready(Some(Err(error)));
                        }
                        None => return Poll::Ready(None),
                    };
                    // Trailers end here: they belong to the client's hop, and Business Central supports none.
                    if frame.is_data() {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Buffered { bytes, .. } => bytes.is_empty(),
            Self::Streaming { ahead, rest, .. } => ahead.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Buffered { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Self::Streaming { ahead, rest, .. } => match rest.size_hint().exact() {
                Some(exact) => SizeHint::with_exact(ahead.len() as u64 + exact),
                None => SizeHint::new(),
            },
        }
    }
}

/// How far a streaming body got.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Milliseconds after `started` at which the last piece was forwarded.
    last: AtomicU64,
    failed: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { started: Instant::now(), last: AtomicU64::new(0), failed: AtomicBool::new(false) }
    }
}

impl Progress {
    /// When the last piece was forwarded.
    pub fn last(&self) -> Instant {
        self.started + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    /// Whether the client aborted the body.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Notes that a piece was forwarded now.
    pub fn advance(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Notes that the client aborted the body.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}
